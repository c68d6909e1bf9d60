/* Classification by rte_acl: every classify method the machine has, a build from nothing, and what a change of one rule costs (a build).
 *
 * Start with --force-max-simd-bitwidth=512, or DPDK leaves its AVX-512 methods off; the narrower ones are measured too.
 * Headers of a batch are copied to where they stay before the clock runs, as they are when a parser has just read them.
 */
#include "peer.h"

#include <arpa/inet.h>
#include <rte_acl.h>
#include <rte_eal.h>

#define SETS_MAX 16

struct header { uint8_t protocol, pad[3]; uint32_t source, destination; uint16_t source_port, destination_port; };
struct plain { uint32_t source, source_length, destination, destination_length; uint16_t first[2], last[2]; uint16_t protocol, protocol_mask; };

enum { PROTOCOL, SOURCE, DESTINATION, SOURCE_PORT, DESTINATION_PORT, FIELDS };
RTE_ACL_RULE_DEF(rule, FIELDS);

static const struct rte_acl_field_def defs[FIELDS] = {
    { .type = RTE_ACL_FIELD_TYPE_BITMASK, .size = 1, .field_index = PROTOCOL, .input_index = 0, .offset = offsetof(struct header, protocol) },
    { .type = RTE_ACL_FIELD_TYPE_MASK, .size = 4, .field_index = SOURCE, .input_index = 1, .offset = offsetof(struct header, source) },
    { .type = RTE_ACL_FIELD_TYPE_MASK, .size = 4, .field_index = DESTINATION, .input_index = 2, .offset = offsetof(struct header, destination) },
    { .type = RTE_ACL_FIELD_TYPE_RANGE, .size = 2, .field_index = SOURCE_PORT, .input_index = 3, .offset = offsetof(struct header, source_port) },
    { .type = RTE_ACL_FIELD_TYPE_RANGE, .size = 2, .field_index = DESTINATION_PORT, .input_index = 3, .offset = offsetof(struct header, destination_port) },
};

struct set { char name[16]; uint32_t rule_count, header_count; struct rule *rules; struct header *headers; struct rte_acl_ctx *context; };
static struct set sets[SETS_MAX];
static uint32_t set_count;

static void read_file(const char *path)
{
    FILE *file = fopen(path, "rb");
    if (!file)
        fail("cannot open the data file");
    read_exactly(file, &set_count, sizeof set_count);
    if (set_count > SETS_MAX)
        fail("too many sets");
    for (struct set *set = sets; set < sets + set_count; set++) {
        read_exactly(file, set->name, sizeof set->name);
        read_exactly(file, &set->rule_count, sizeof set->rule_count);
        set->rules = calloc(set->rule_count, sizeof *set->rules);
        for (uint32_t i = 0; i < set->rule_count; i++) {
            struct plain plain;
            struct rule *rule = &set->rules[i];
            read_exactly(file, &plain, sizeof plain);
            rule->data.category_mask = 1;
            rule->data.priority = (int32_t)(set->rule_count - i);
            rule->data.userdata = i + 1;
            rule->field[PROTOCOL].value.u8 = (uint8_t)plain.protocol;
            rule->field[PROTOCOL].mask_range.u8 = (uint8_t)plain.protocol_mask;
            rule->field[SOURCE].value.u32 = plain.source;
            rule->field[SOURCE].mask_range.u32 = plain.source_length;
            rule->field[DESTINATION].value.u32 = plain.destination;
            rule->field[DESTINATION].mask_range.u32 = plain.destination_length;
            for (int side = 0; side < 2; side++) {
                rule->field[SOURCE_PORT + side].value.u16 = plain.first[side];
                rule->field[SOURCE_PORT + side].mask_range.u16 = plain.last[side];
            }
        }
        read_exactly(file, &set->header_count, sizeof set->header_count);
        set->headers = malloc(sizeof *set->headers * set->header_count);
        for (uint32_t i = 0; i < set->header_count; i++) {
            struct header *header = &set->headers[i];
            read_exactly(file, header, sizeof *header);
            header->source = htonl(header->source);
            header->destination = htonl(header->destination);
            header->source_port = htons(header->source_port);
            header->destination_port = htons(header->destination_port);
        }
    }
    fclose(file);
}

static struct rte_acl_ctx *make(const struct set *set, const char *name, double *spent)
{
    struct rte_acl_param param = { .name = name, .socket_id = SOCKET_ID_ANY, .rule_size = RTE_ACL_RULE_SZ(FIELDS), .max_rule_num = set->rule_count };
    struct rte_acl_config config = { .num_categories = 1, .num_fields = FIELDS };
    memcpy(config.defs, defs, sizeof defs);
    struct rte_acl_ctx *context = rte_acl_create(&param);
    double start = seconds();
    if (!context || rte_acl_add_rules(context, (const struct rte_acl_rule *)set->rules, set->rule_count) != 0 || rte_acl_build(context, &config) != 0)
        fail("rte_acl_build failed: more huge pages?");
    *spent = seconds() - start;
    return context;
}

static void build(void)
{
    for (struct set *set = sets; set < sets + set_count; set++) {
        double spent;
        set->context = make(set, set->name, &spent);
        printf("load %s rte_acl %.6f\n", set->name, spent);
    }
}

/* Of the passes each batch counts with its best time. */
static void lookups(const char *name, const char *variant, const struct set *set)
{
    static struct header batch[BATCH];
    static uint32_t results[BATCH];
    const uint8_t *data[BATCH];
    for (int i = 0; i < BATCH; i++)
        data[i] = (const uint8_t *)&batch[i];
    const uint32_t batches = set->header_count / BATCH;
    double *best = malloc(sizeof *best * batches), total = 0, begin = seconds();
    for (uint32_t i = 0; i < batches; i++)
        best[i] = 1e9;
    uint64_t sum = 0;
    for (uint32_t passes = 0; passes < 8 || seconds() - begin < 0.04; passes++) {
        sum = 0;
        for (uint32_t i = 0; i < batches; i++) {
            memcpy(batch, set->headers + (size_t)i * BATCH, sizeof batch);
            double start = seconds();
            rte_acl_classify(set->context, data, results, BATCH, 1);
            double spent = seconds() - start;
            if (spent < best[i])
                best[i] = spent;
            for (int k = 0; k < BATCH; k++)
                sum = sum * 31 + results[k];
        }
    }
    for (uint32_t i = 0; i < batches; i++)
        total += best[i];
    free(best);
    printf("%s %s %.4f %" PRIu64 "\n", name, variant, total * 1e9 / set->header_count, sum);
}

static void round_of(const char *name)
{
    static const struct { const char *name; enum rte_acl_classify_alg method; } methods[] = {
        { "rte_acl/sse", RTE_ACL_CLASSIFY_SSE }, { "rte_acl/avx2", RTE_ACL_CLASSIFY_AVX2 },
        { "rte_acl/avx512x16", RTE_ACL_CLASSIFY_AVX512X16 }, { "rte_acl/avx512x32", RTE_ACL_CLASSIFY_AVX512X32 } };
    for (struct set *set = sets; set < sets + set_count; set++) {
        size_t length = strlen(set->name);
        if (strncmp(name, set->name, length) != 0)
            continue;
        if (name[length] == 0) {
            for (size_t i = 0; i < sizeof methods / sizeof *methods; i++)
                if (rte_acl_set_ctx_classify(set->context, methods[i].method) == 0)
                    lookups(name, methods[i].name, set);
        } else if (strcmp(name + length, "-build") == 0 || strcmp(name + length, "-update") == 0) {
            double spent;
            rte_acl_free(make(set, "again", &spent));
            printf("%s rte_acl/build %.1f 0\n", name, spent * 1e9);
        }
    }
}

int main(int argc, char **argv)
{
    int used = rte_eal_init(argc, argv);
    if (used < 0 || argc - used < 2)
        fail("usage: acl EAL-OPTIONS -- FILE");
    read_file(argv[used + 1]);
    build();
    serve(round_of);
    return 0;
}
