/* Exact match of DPDK: rte_hash with 16-byte keys, CRC hashes computed beforehand, by its bulk call of 64 keys, without any locking.
 *
 * The file holds the sizes of the tables; keys come from the same numbers on both sides (see mix). Tables are filled to 85 % of their places.
 */
#include "peer.h"

#include <rte_eal.h>
#include <rte_hash.h>
#include <rte_hash_crc.h>

#define TABLES 2
#define BULK 64

struct key { uint64_t low, high; };
struct table {
    char name[16];
    uint32_t places, count, looked_up;
    struct rte_hash *hash;
    struct key *keys, *wanted, *others;
    hash_sig_t *key_sigs, *hit_sigs, *miss_sigs;
    const void **hits, **misses;
};

static struct table tables[TABLES];

/* SplitMix64 of a number: every bit of the key depends on every bit of it. */
static uint64_t mix(uint64_t number)
{
    uint64_t z = (number + 1) * UINT64_C(0x9E3779B97F4A7C15);
    z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
    return z ^ (z >> 31);
}

static struct key key_of(uint64_t number)
{
    return (struct key){ mix(2 * number), mix(2 * number + 1) };
}

static void fill(struct table *table)
{
    for (uint32_t i = 0; i < table->count; i++)
        if (rte_hash_add_key_with_hash(table->hash, &table->keys[i], table->key_sigs[i]) < 0)
            fail("rte_hash_add_key_with_hash failed");
}

static void build(struct table *table)
{
    struct rte_hash_parameters how = { .name = table->name, .entries = table->places, .key_len = sizeof(struct key),
        .hash_func = rte_hash_crc, .socket_id = 0 };
    table->hash = rte_hash_create(&how);
    if (!table->hash)
        fail("rte_hash_create failed: more huge pages are needed");
    table->keys = malloc(sizeof *table->keys * table->count);
    table->key_sigs = malloc(sizeof *table->key_sigs * table->count);
    for (uint32_t i = 0; i < table->count; i++) {
        table->keys[i] = key_of(i);
        table->key_sigs[i] = rte_hash_hash(table->hash, &table->keys[i]);
    }

    table->wanted = malloc(sizeof *table->wanted * table->looked_up);
    table->others = malloc(sizeof *table->others * table->looked_up);
    table->hits = malloc(sizeof *table->hits * table->looked_up);
    table->misses = malloc(sizeof *table->misses * table->looked_up);
    table->hit_sigs = malloc(sizeof *table->hit_sigs * table->looked_up);
    table->miss_sigs = malloc(sizeof *table->miss_sigs * table->looked_up);
    for (uint32_t i = 0; i < table->looked_up; i++) {
        uint32_t hit = (uint32_t)(mix(UINT64_C(1) << 40 | i) % table->count);
        table->wanted[i] = table->keys[hit];
        table->hits[i] = &table->wanted[i];
        table->hit_sigs[i] = table->key_sigs[hit];
        table->others[i] = key_of(UINT64_C(1) << 32 | i);
        table->misses[i] = &table->others[i];
        table->miss_sigs[i] = rte_hash_hash(table->hash, &table->others[i]);
    }

    fill(table);
}

static uint64_t look_up(struct table *table, const void **keys, hash_sig_t *sigs)
{
    int32_t positions[BULK];
    uint64_t found = 0;
    for (uint32_t i = 0; i < table->looked_up; i += BULK) {
        rte_hash_lookup_with_hash_bulk(table->hash, &keys[i], &sigs[i], BULK, positions);
        for (int k = 0; k < BULK; k++)
            found += positions[k] >= 0;
    }
    return found;
}

static uint64_t hit(void *state) { struct table *table = state; return look_up(table, table->hits, table->hit_sigs); }
static uint64_t miss(void *state) { struct table *table = state; return look_up(table, table->misses, table->miss_sigs); }

static void round_of(const char *name)
{
    for (int i = 0; i < TABLES; i++) {
        struct table *table = &tables[i];
        size_t prefix = strlen(table->name);
        if (strncmp(name, table->name, prefix) != 0 || name[prefix] != '-')
            continue;
        const char *work = name + prefix + 1;
        if (strcmp(work, "hit") == 0)
            report(name, "rte_hash", hit, table, table->looked_up);
        else if (strcmp(work, "miss") == 0)
            report(name, "rte_hash", miss, table, table->looked_up);
        else {
            rte_hash_reset(table->hash);
            double start = seconds();
            fill(table);
            printf("%s rte_hash %.4f %d\n", name, (seconds() - start) * 1e9 / table->count, rte_hash_count(table->hash));
        }
    }
}

int main(int argc, char **argv)
{
    int used = rte_eal_init(argc, argv);
    if (used < 0 || used >= argc - 1)
        fail("usage: hash EAL-OPTIONS -- FILE");
    FILE *file = fopen(argv[used + 1], "rb");
    if (!file)
        fail("cannot open the data file");
    for (int i = 0; i < TABLES; i++) {
        struct table *table = &tables[i];
        read_exactly(file, table->name, sizeof table->name);
        read_exactly(file, &table->places, sizeof table->places);
        read_exactly(file, &table->count, sizeof table->count);
        read_exactly(file, &table->looked_up, sizeof table->looked_up);
        build(table);
    }
    serve(round_of);
    return 0;
}
