/* The layout of memif 2.0 written down for a C compiler, so that it judges ours. The published headers are extras/libmemif/src/memif.h of
 * FDio/vpp and drivers/net/memif/memif.h of DPDK; no package installs one. Whether this page is right is shown by the tests against DPDK. */
#include <stdint.h>

enum
{
    MEMIF_COOKIE = 0x3E31F20,
    MEMIF_VERSION = 2 << 8 | 0,
    MEMIF_DESC_FLAG_NEXT = 1 << 0,
    MEMIF_RING_FLAG_MASK_INT = 1 << 0,
    MEMIF_MSG_ADD_RING_FLAG_S2M = 1 << 0,
};

enum { MEMIF_INTERFACE_MODE_ETHERNET, MEMIF_INTERFACE_MODE_IP, MEMIF_INTERFACE_MODE_PUNT_INJECT };

enum
{
    MEMIF_MSG_TYPE_NONE,
    MEMIF_MSG_TYPE_ACK,
    MEMIF_MSG_TYPE_HELLO,
    MEMIF_MSG_TYPE_INIT,
    MEMIF_MSG_TYPE_ADD_REGION,
    MEMIF_MSG_TYPE_ADD_RING,
    MEMIF_MSG_TYPE_CONNECT,
    MEMIF_MSG_TYPE_CONNECTED,
    MEMIF_MSG_TYPE_DISCONNECT,
};

#define PACKED __attribute__((packed))
#define ON_ITS_LINE __attribute__((aligned(64)))

typedef struct PACKED { uint16_t flags, region; uint32_t length, offset, metadata; } memif_desc_t;
typedef struct { ON_ITS_LINE uint32_t cookie; uint16_t flags, head; ON_ITS_LINE uint16_t tail; ON_ITS_LINE memif_desc_t desc[]; } memif_ring_t;

typedef struct PACKED { uint8_t name[32]; uint16_t min_version, max_version, max_region, max_m2s_ring, max_s2m_ring; uint8_t max_log2_ring_size; } memif_msg_hello_t;
typedef struct PACKED { uint16_t version; uint32_t id; uint8_t mode, secret[24], name[32]; } memif_msg_init_t;
typedef struct PACKED { uint16_t index; uint64_t size; } memif_msg_add_region_t;
typedef struct PACKED { uint16_t flags, index, region; uint32_t offset; uint8_t log2_ring_size; uint16_t private_hdr_size; } memif_msg_add_ring_t;
typedef struct PACKED { uint8_t if_name[32]; } memif_msg_connect_t;
typedef struct PACKED { uint32_t code; uint8_t text[96]; } memif_msg_disconnect_t;

typedef struct PACKED __attribute__((aligned(128)))
{
    uint16_t type;
    union
    {
        memif_msg_hello_t hello;
        memif_msg_init_t init;
        memif_msg_add_region_t add_region;
        memif_msg_add_ring_t add_ring;
        memif_msg_connect_t connect;
        memif_msg_disconnect_t disconnect;
    };
} memif_msg_t;
