/* Longest prefix match of DPDK: rte_fib and rte_lpm for IPv4, rte_fib6 and rte_lpm6 for IPv6, each by its own bulk call.
 *
 * Start with --force-max-simd-bitwidth=512, or DPDK leaves its AVX-512 lookups off; the scalar ones, which are its default then, are measured too.
 * rte_lpm searches its rules one by one when it adds one: a million routes take minutes, so it takes part only when PEER_RTE_LPM=1.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "peer.h"

#include <pthread.h>
#include <sched.h>
#include <unistd.h>

#include <rte_eal.h>
#include <rte_fib.h>
#include <rte_fib6.h>
#include <rte_lpm.h>
#include <rte_lpm6.h>

#define V4_TBL8 32000
#define V6_TBL8 (1 << 18)
#define FIB6_TBL8 (1 << 19) /* rte_fib6 reserves one for each byte of each prefix, and gives them back only when it finds them shared */

struct route4 { uint32_t first; int32_t length, value; };
struct route6 { uint8_t first[16]; int32_t length, value; };
struct keys { uint32_t count; uint32_t *v4; uint8_t (*v6)[16]; };

static struct route4 *routes4;
static struct route6 *routes6;
static uint32_t count4, count6;
static struct keys keys[2];
static struct rte_fib *fib;
static struct rte_lpm *lpm;
static struct rte_fib6 *fib6;
static struct rte_lpm6 *lpm6;

static void read_file(const char *path)
{
    FILE *file = fopen(path, "rb");
    if (!file)
        fail("cannot open the data file");
    read_exactly(file, &count4, sizeof count4);
    routes4 = malloc(sizeof *routes4 * count4);
    read_exactly(file, routes4, sizeof *routes4 * count4);
    read_exactly(file, &count6, sizeof count6);
    routes6 = malloc(sizeof *routes6 * count6);
    read_exactly(file, routes6, sizeof *routes6 * count6);
    for (int set = 0; set < 2; set++) {
        struct keys *to = &keys[set];
        read_exactly(file, &to->count, sizeof to->count);
        to->v4 = malloc(sizeof *to->v4 * to->count);
        read_exactly(file, to->v4, sizeof *to->v4 * to->count);
        to->v6 = malloc(sizeof *to->v6 * to->count);
        read_exactly(file, to->v6, sizeof *to->v6 * to->count);
    }
    fclose(file);
}

static struct rte_fib *make_fib(const char *name)
{
    struct rte_fib_conf conf = { .type = RTE_FIB_DIR24_8, .default_nh = 0, .max_routes = (int)count4 + 1024,
        .dir24_8 = { .nh_sz = RTE_FIB_DIR24_8_2B, .num_tbl8 = V4_TBL8 } };
    return rte_fib_create(name, 0, &conf);
}

static void fill_fib(struct rte_fib *to)
{
    for (uint32_t i = 0; i < count4; i++)
        if (rte_fib_add(to, routes4[i].first, (uint8_t)routes4[i].length, (uint64_t)routes4[i].value) != 0)
            fail("rte_fib_add failed");
}

/* Tables of the last 8 bits that the prefixes need; neither library tells. */
static size_t divided(void)
{
    uint8_t *seen = calloc(1 << 24, 1);
    size_t count = 0;
    for (uint32_t i = 0; i < count4; i++)
        if (routes4[i].length > 24 && !seen[routes4[i].first >> 8]++)
            count++;
    free(seen);
    return count;
}

static void build(void)
{
    fib = make_fib("fib");
    if (!fib)
        fail("rte_fib_create failed: more huge pages?");
    double start = seconds();
    fill_fib(fib);
    printf("load v4 rte_fib %.4f\n", seconds() - start);
    printf("memory v4 rte_fib %zu\n", ((size_t)2 << 24) + divided() * 512);

    if (getenv("PEER_RTE_LPM")) {
        struct rte_lpm_config conf = { .max_rules = count4 + 1024, .number_tbl8s = V4_TBL8 };
        lpm = rte_lpm_create("lpm", 0, &conf);
        if (!lpm)
            fail("rte_lpm_create failed");
        start = seconds();
        for (uint32_t i = 0; i < count4; i++)
            if (rte_lpm_add(lpm, routes4[i].first, (uint8_t)routes4[i].length, (uint32_t)routes4[i].value) != 0)
                fail("rte_lpm_add failed");
        printf("load v4 rte_lpm %.4f\n", seconds() - start);
        printf("memory v4 rte_lpm %zu\n", ((size_t)4 << 24) + divided() * 1024);
    }

    struct rte_fib6_conf conf6 = { .type = RTE_FIB6_TRIE, .default_nh = 0, .max_routes = (int)count6 + 1024,
        .trie = { .nh_sz = RTE_FIB6_TRIE_4B, .num_tbl8 = FIB6_TBL8 } };
    fib6 = rte_fib6_create("fib6", 0, &conf6);
    struct rte_lpm6_config conf_lpm6 = { .max_rules = count6 + 1024, .number_tbl8s = V6_TBL8 };
    lpm6 = rte_lpm6_create("lpm6", 0, &conf_lpm6);
    if (!fib6 || !lpm6)
        fail("rte_fib6_create or rte_lpm6_create failed: more huge pages?");
    start = seconds();
    for (uint32_t i = 0; i < count6; i++)
        if (rte_fib6_add(fib6, routes6[i].first, (uint8_t)routes6[i].length, (uint64_t)routes6[i].value) != 0)
            fail("rte_fib6_add failed");
    printf("load v6 rte_fib6 %.4f\n", seconds() - start);
    start = seconds();
    for (uint32_t i = 0; i < count6; i++)
        if (rte_lpm6_add(lpm6, routes6[i].first, (uint8_t)routes6[i].length, (uint32_t)routes6[i].value) != 0)
            fail("rte_lpm6_add failed");
    printf("load v6 rte_lpm6 %.4f\n", seconds() - start);
}

static uint64_t pass_fib(void *state)
{
    struct keys *set = state;
    uint64_t values[BATCH], sum = 0;
    for (uint32_t i = 0; i < set->count; i += BATCH) {
        rte_fib_lookup_bulk(fib, set->v4 + i, values, BATCH);
        sum += values[i >> 8 & (BATCH - 1)];
    }
    return sum;
}

static uint64_t pass_lpm(void *state)
{
    struct keys *set = state;
    uint32_t values[BATCH];
    uint64_t sum = 0;
    for (uint32_t i = 0; i < set->count; i += BATCH) {
        rte_lpm_lookup_bulk(lpm, set->v4 + i, values, BATCH);
        sum += values[i >> 8 & (BATCH - 1)] & 0xFFFFFF;
    }
    return sum;
}

static uint64_t pass_fib6(void *state)
{
    struct keys *set = state;
    uint64_t values[BATCH], sum = 0;
    for (uint32_t i = 0; i < set->count; i += BATCH) {
        rte_fib6_lookup_bulk(fib6, set->v6 + i, values, BATCH);
        sum += values[i >> 8 & (BATCH - 1)];
    }
    return sum;
}

static uint64_t pass_lpm6(void *state)
{
    struct keys *set = state;
    int32_t values[BATCH];
    uint64_t sum = 0;
    for (uint32_t i = 0; i < set->count; i += BATCH) {
        rte_lpm6_lookup_bulk_func(lpm6, set->v6 + i, values, BATCH);
        sum += (uint64_t)(values[i >> 8 & (BATCH - 1)] < 0 ? 0 : values[i >> 8 & (BATCH - 1)]);
    }
    return sum;
}

static void round_v4(const char *name, struct keys *set)
{
    static const struct { const char *name; enum rte_fib_lookup_type type; } types[] = {
        { "rte_fib/scalar", RTE_FIB_LOOKUP_DIR24_8_SCALAR_MACRO },
        { "rte_fib/scalar-inline", RTE_FIB_LOOKUP_DIR24_8_SCALAR_INLINE },
        { "rte_fib/avx512", RTE_FIB_LOOKUP_DIR24_8_VECTOR_AVX512 } };
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (rte_fib_select_lookup(fib, types[i].type) == 0)
            report(name, types[i].name, pass_fib, set, set->count);
    if (lpm)
        report(name, "rte_lpm/bulk", pass_lpm, set, set->count);
}

static void round_v6(const char *name, struct keys *set)
{
    static const struct { const char *name; enum rte_fib6_lookup_type type; } types[] = {
        { "rte_fib6/scalar", RTE_FIB6_LOOKUP_TRIE_SCALAR },
        { "rte_fib6/avx512", RTE_FIB6_LOOKUP_TRIE_VECTOR_AVX512 } };
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (rte_fib6_select_lookup(fib6, types[i].type) == 0)
            report(name, types[i].name, pass_fib6, set, set->count);
    report(name, "rte_lpm6/bulk", pass_lpm6, set, set->count);
}

/* Building a second table from nothing, and changing single routes of the full one. */
static void round_load(const char *name)
{
    struct rte_fib *other = make_fib("load");
    if (!other)
        fail("rte_fib_create failed: more huge pages?");
    double start = seconds();
    fill_fib(other);
    printf("%s rte_fib/add %.4f 0\n", name, (seconds() - start) * 1e9 / count4);
    rte_fib_free(other);
}

static void round_update(const char *name)
{
    const uint32_t updates = count4 / 8;
    double start = seconds();
    for (uint32_t i = 0; i < updates; i++) {
        struct route4 *route = &routes4[(uint64_t)i * 7919 % count4];
        rte_fib_delete(fib, route->first, (uint8_t)route->length);
        rte_fib_add(fib, route->first, (uint8_t)route->length, (uint64_t)route->value);
    }
    printf("%s rte_fib/delete+add %.4f 0\n", name, (seconds() - start) * 1e9 / updates / 2);
}

static volatile bool stop_churn;

/* 100,000 changes a second, in bursts of 100 a millisecond: as our side's writer does it, on another processor than the one the program is bound to. */
static void *churn(void *unused)
{
    cpu_set_t mine, other;
    sched_getaffinity(0, sizeof mine, &mine);
    CPU_ZERO(&other);
    CPU_SET(CPU_ISSET(0, &mine) ? 1 : 0, &other);
    pthread_setaffinity_np(pthread_self(), sizeof other, &other);
    double start = seconds();
    for (uint64_t changes = 0; !stop_churn; usleep(1000))
        for (; (double)changes < (seconds() - start) * 100000; changes += 2) {
            struct route4 *route = &routes4[changes * 7919 % count4];
            rte_fib_delete(fib, route->first, (uint8_t)route->length);
            rte_fib_add(fib, route->first, (uint8_t)route->length, (uint64_t)route->value);
        }
    return unused;
}

static void round_churn(const char *name)
{
    pthread_t writer;
    rte_fib_select_lookup(fib, RTE_FIB_LOOKUP_DIR24_8_SCALAR_MACRO);
    report(name, "quiet", pass_fib, &keys[1], keys[1].count);
    stop_churn = false;
    if (pthread_create(&writer, NULL, churn, NULL) != 0)
        fail("cannot start the thread that changes routes");
    report(name, "churned", pass_fib, &keys[1], keys[1].count);
    stop_churn = true;
    pthread_join(writer, NULL);
}

/* No such round for IPv6: of DPDK 22.11, rte_fib6 gives other answers than rte_lpm6 after routes were deleted and added again. */
static void round_of(const char *name)
{
    if (strcmp(name, "v4-4k") == 0)
        round_v4(name, &keys[0]);
    else if (strcmp(name, "v4-1m") == 0)
        round_v4(name, &keys[1]);
    else if (strcmp(name, "v6-4k") == 0)
        round_v6(name, &keys[0]);
    else if (strcmp(name, "v6-1m") == 0)
        round_v6(name, &keys[1]);
    else if (strcmp(name, "v4-load") == 0)
        round_load(name);
    else if (strcmp(name, "v4-update") == 0)
        round_update(name);
    else if (strcmp(name, "v4-churn") == 0)
        round_churn(name);
}

int main(int argc, char **argv)
{
    int used = rte_eal_init(argc, argv);
    if (used < 0 || argc - used < 2)
        fail("usage: lpm EAL-OPTIONS -- FILE");
    read_file(argv[used + 1]);
    build();
    serve(round_of);
    return 0;
}
