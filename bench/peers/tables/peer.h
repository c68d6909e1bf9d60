/* What every peer program of this folder shares: the clock, memory on huge pages, and the conversation with ./run.
 *
 * A program loads the file it is given, prints what it has to say about memory and building, then "ready", and serves one line at a time:
 *   round CASE        ->  any number of "CASE VARIANT NANOSECONDS CHECKSUM" lines, then "done"
 * The checksum is over all answers of the case, so that ./run can tell when two programs do not do the same work.
 */
#ifndef PEER_H
#define PEER_H

#include <inttypes.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define BATCH 256

static inline double seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

static inline void fail(const char *what)
{
    fprintf(stderr, "%s\n", what);
    exit(1);
}

static inline void read_exactly(FILE *file, void *to, size_t bytes)
{
    if (fread(to, 1, bytes, file) != bytes)
        fail("the data file is cut short");
}

/* Runs one pass over all keys; returns the checksum. */
typedef uint64_t (*pass_fn)(void *state);

/* The time of a case, as a line: the best of many slices of at least 0.2 ms in 40 ms. Other programs on the machine can only add time to a slice;
 * what the machine does when it is left alone is the least. */
static inline void report(const char *name, const char *variant, pass_fn pass, void *state, size_t operations)
{
    uint64_t sum = pass(state);
    double begin = seconds(), best = 1e9;
    do {
        double start = seconds(), spent;
        size_t passes = 0;
        do {
            sum = pass(state);
            passes++;
            spent = seconds() - start;
        } while (spent < 0.0002);
        if (spent / (double)passes < best)
            best = spent / (double)passes;
    } while (seconds() - begin < 0.04);
    printf("%s %s %.4f %" PRIu64 "\n", name, variant, best * 1e9 / (double)operations, sum);
}

/* Reads "round CASE" lines until the input ends. */
static inline void serve(void (*round)(const char *name))
{
    char line[256];
    printf("ready\n");
    fflush(stdout);
    while (fgets(line, sizeof line, stdin)) {
        line[strcspn(line, "\n")] = 0;
        if (strncmp(line, "round ", 6) == 0)
            round(line + 6);
        printf("done\n");
        fflush(stdout);
    }
}

#endif
