/* Preloaded into a node: the next fsync or fdatasync fails once where a file asks for it, and the ones after it succeed again, as on
   systems that forget that a write was lost. While another file is there, each takes long. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

typedef int sync_call(int);

static int fails(void) {
    const char *asked = getenv("FAIL_SYNC");
    int before = errno;
    /* Whoever takes the file away is the one that fails. */
    int taken = asked && unlink(asked) == 0;
    errno = taken ? EIO : before;
    return taken;
}

/* What a slow disk takes, in microseconds. */
#define SLOW 300000

static void wait_where_asked(void) {
    const char *asked = getenv("SLOW_SYNC");
    int before = errno;
    if (asked && access(asked, F_OK) == 0) {
        usleep(SLOW);
    }
    errno = before;
}

static int real(const char *name, int descriptor) {
    sync_call *call = (sync_call *)dlsym(RTLD_NEXT, name);
    if (!call) {
        errno = ENOSYS;
        return -1;
    }
    wait_where_asked();
    return call(descriptor);
}

int fsync(int descriptor) {
    return fails() ? -1 : real("fsync", descriptor);
}

int fdatasync(int descriptor) {
    return fails() ? -1 : real("fdatasync", descriptor);
}
