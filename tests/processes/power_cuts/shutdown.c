/* Shuts a mounted filesystem down at once, as a power cut would: what was not synced never reaches the disk. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#define FS_IOC_SHUTDOWN _IOR('X', 125, unsigned int)

int main(int argc, char **argv) {
    if (argc != 3) {
        fprintf(stderr, "usage: shutdown <mountpoint> <1: with the filesystem's journal, 2: without>\n");
        return 2;
    }
    unsigned int flags = (unsigned int)atoi(argv[2]);
    int folder = open(argv[1], O_RDONLY | O_DIRECTORY);
    if (folder < 0 || ioctl(folder, FS_IOC_SHUTDOWN, &flags) != 0) {
        fprintf(stderr, "%s: %s\n", argv[1], strerror(errno));
        return 1;
    }
    return 0;
}
