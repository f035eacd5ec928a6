/* Stops the machine's clocks for a process that it is preloaded into, so that nothing in it can depend on how fast it runs.
 *
 * The simulation has a clock of its own, but two libraries look at the machine's: h2 forgets streams that were reset after a second of
 * it, and hyper writes the date into its answers. Both change what is sent. The time is far ahead of any machine's uptime, so that a wait
 * until a moment that was reckoned from it never ends early.
 */
#include <time.h>

int clock_gettime(clockid_t clock, struct timespec *now) {
    (void)clock;
    now->tv_sec = 1767225600;
    now->tv_nsec = 0;
    return 0;
}
