/* Maglev by the book (Eisenbud et al., NSDI 2016, section 3.4, pseudocode 1), with weights: members take turns in an order that all agree on, each turn
 * takes the member's next preferred slot that is free, every preference is (offset + next * skip) % size, and the table holds -1 where nobody is yet.
 * A change is what the book offers for one: building anew.
 *
 * Weights: in a round the heaviest members that still want slots have a turn each and the others as often as their weight asks, until each has its share
 * by largest remainder. The result is the same as ours, slot by slot; the checksums say so.
 */
#include "peer.h"

#define SETS 2

struct member { uint64_t identity; int32_t weight, pad; };
struct turn { const struct member *member; uint64_t offset, skip, next; int64_t credit; int32_t wanted, index; uint64_t remainder; };
struct set { uint32_t size, count; struct member *members; struct turn *turns; int32_t *table; };

static struct set sets[SETS];

/* The 64-bit xxHash of eight bytes. */
static uint64_t rotate(uint64_t x, int by) { return x << by | x >> (64 - by); }

static uint64_t hash(uint64_t value, uint64_t seed)
{
    const uint64_t p1 = 0x9E3779B185EBCA87, p2 = 0xC2B2AE3D27D4EB4F, p3 = 0x165667B19E3779F9, p4 = 0x85EBCA77C2B2AE63, p5 = 0x27D4EB2F165667C5;
    uint64_t h = (seed + p5 + 8) ^ (rotate(value * p2, 31) * p1);
    h = rotate(h, 27) * p1 + p4;
    h = (h ^ h >> 33) * p2;
    h = (h ^ h >> 29) * p3;
    return h ^ h >> 32;
}

static int by_turn(const void *left, const void *right)
{
    const struct member *a = ((const struct turn *)left)->member, *b = ((const struct turn *)right)->member;
    if (a->weight != b->weight)
        return a->weight > b->weight ? -1 : 1;
    return a->identity < b->identity ? -1 : a->identity > b->identity;
}

static int by_remainder(const void *left, const void *right)
{
    const struct turn *a = *(struct turn *const *)left, *b = *(struct turn *const *)right;
    if (a->remainder != b->remainder)
        return a->remainder > b->remainder ? -1 : 1;
    return a < b ? -1 : 1;
}

static void share(struct set *set, uint32_t count)
{
    uint64_t sum = 0, left = set->size;
    for (uint32_t i = 0; i < count; i++)
        sum += (uint32_t)set->turns[i].member->weight;
    struct turn **order = malloc(sizeof *order * count);
    for (uint32_t i = 0; i < count; i++) {
        struct turn *turn = &set->turns[i];
        uint64_t exact = (uint64_t)set->size * (uint32_t)turn->member->weight;
        turn->wanted = (int32_t)(exact / sum);
        turn->remainder = exact % sum;
        left -= (uint32_t)turn->wanted;
        order[i] = turn;
    }
    qsort(order, count, sizeof *order, by_remainder);
    for (uint32_t i = 0; i < left; i++)
        order[i]->wanted++;
    free(order);
}

static void build(struct set *set, uint32_t first)
{
    uint32_t count = set->count - first;
    struct turn *turns = set->turns;
    int32_t *table = set->table;
    uint64_t size = set->size;
    for (uint32_t i = 0; i < count; i++)
        turns[i] = (struct turn) { .member = &set->members[first + i], .index = (int32_t)i };
    qsort(turns, count, sizeof *turns, by_turn);
    share(set, count);
    for (uint32_t i = 0; i < count; i++) {
        turns[i].offset = hash(turns[i].member->identity, 0) % size;
        turns[i].skip = hash(turns[i].member->identity, 1) % (size - 1) + 1;
    }
    for (uint64_t slot = 0; slot < size; slot++)
        table[slot] = -1;
    uint32_t heaviest = 0;
    for (uint64_t filled = 0; filled < size;) {
        while (turns[heaviest].wanted == 0)
            heaviest++;
        int32_t full = turns[heaviest].member->weight;
        for (uint32_t i = heaviest; i < count; i++) {
            struct turn *turn = &turns[i];
            if (turn->wanted == 0)
                continue;
            turn->credit += turn->member->weight;
            if (turn->credit < full)
                continue;
            turn->credit -= full;
            uint64_t slot = (turn->offset + turn->next * turn->skip) % size;
            while (table[slot] >= 0) {
                turn->next++;
                slot = (turn->offset + turn->next * turn->skip) % size;
            }
            table[slot] = turn->index;
            turn->next++;
            turn->wanted--;
            filled++;
        }
    }
}

/* Over all slots, so that a table that differs in one has another. */
static uint64_t build_all(void *state)
{
    struct set *set = state;
    uint64_t sum = 0;
    build(set, 0);
    for (uint32_t slot = 0; slot < set->size; slot += 61)
        sum = sum * 31 + (uint32_t)set->table[slot];
    return sum;
}

/* The tables after a change are not the same as ours, which moved less; how many slots have a member is. */
static uint64_t rebuild(struct set *set, uint32_t first)
{
    build(set, first);
    return set->size;
}

static uint64_t without_first(void *state) { return rebuild(state, 1); }
static uint64_t with_first(void *state) { return rebuild(state, 0); }

static void run_case(const char *name)
{
    for (int i = 0; i < SETS; i++) {
        char size[32];
        snprintf(size, sizeof size, "-%u", sets[i].size);
        if (!strstr(name, size))
            continue;
        pass_fn pass = strncmp(name, "build", 5) == 0 ? build_all : strncmp(name, "remove", 6) == 0 ? without_first : with_first;
        report(name, "textbook", pass, &sets[i], 1);
    }
}

int main(int argc, char **argv)
{
    FILE *file = fopen(argv[argc - 1], "rb");
    if (!file)
        fail("cannot open the data file");
    for (int i = 0; i < SETS; i++) {
        struct set *set = &sets[i];
        read_exactly(file, &set->size, sizeof set->size);
        read_exactly(file, &set->count, sizeof set->count);
        set->members = malloc(sizeof *set->members * set->count);
        read_exactly(file, set->members, sizeof *set->members * set->count);
        set->turns = malloc(sizeof *set->turns * set->count);
        set->table = malloc(sizeof *set->table * set->size);
    }
    fclose(file);
    serve(run_case);
    return 0;
}
