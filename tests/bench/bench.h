/* bench.h - one measured figure, as one JSON line that bench.py collects. */
#ifndef TESTS_BENCH_H
#define TESTS_BENCH_H
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static inline double bench_clock(clockid_t id)
{
    struct timespec t;
    clock_gettime(id, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}
static inline double bench_cpu(void) { return bench_clock(CLOCK_PROCESS_CPUTIME_ID); }

/* goal: "<= 1.3", ">= 0.8", or "" for a figure that is only shown. */
static inline void bench_say(const char *name, double value, const char *unit, const char *goal)
{
    printf("{\"name\":\"%s\",\"value\":%.6g,\"unit\":\"%s\",\"goal\":\"%s\"}\n", name, value, unit, goal);
    fflush(stdout);
}

static inline int bench_compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}
/* CPU seconds of one run: the median of `runs` (odd, at most 15). */
static inline double bench_median(void (*run)(void *self), void *self, int runs)
{
    double t[15];
    run(self);                                 /* warm: pages, tables, clock */
    for (int i = 0; i < runs; i++) {
        double before = bench_cpu();
        run(self);
        t[i] = bench_cpu() - before;
    }
    qsort(t, (size_t)runs, sizeof *t, bench_compare);
    return t[runs / 2];
}

#endif
