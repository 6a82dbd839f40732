/* The mock device behind virtio-pci, and the driver's side of it, for tests. */
#pragma once

#include <check.h>
#include <linux/pci_regs.h>
#include <linux/virtio_pci.h>
#include <string.h>

#include "mock_device.h"
#include "virtio/virtio_pci.h"

#define BASE     0xe0004000u
#define CLASS    0x018000u
#define ISR      0x100u
#define DEVICE   0x200u
#define DOORBELL 0x1000u
#define TABLE    0x2000u
#define PENDING  0x3000u
#define NONE     VIRTIO_MSI_NO_VECTOR

/* Registers: their places, and their widths, as 4.1.4.3 has them. */
#define DFSELECT VIRTIO_PCI_COMMON_DFSELECT, 4
#define DF       VIRTIO_PCI_COMMON_DF, 4
#define GFSELECT VIRTIO_PCI_COMMON_GFSELECT, 4
#define GF       VIRTIO_PCI_COMMON_GF, 4
#define CONFIG_V VIRTIO_PCI_COMMON_MSIX, 2
#define NUMQ     VIRTIO_PCI_COMMON_NUMQ, 2
#define STATUS   VIRTIO_PCI_COMMON_STATUS, 1
#define Q_SELECT VIRTIO_PCI_COMMON_Q_SELECT, 2
#define Q_SIZE   VIRTIO_PCI_COMMON_Q_SIZE, 2
#define Q_VECTOR VIRTIO_PCI_COMMON_Q_MSIX, 2
#define Q_ENABLE VIRTIO_PCI_COMMON_Q_ENABLE, 2

static struct virtio_pci pci;

/* The messages that were sent, by their data: as many as there were of each vector. */
static unsigned sent[4];

static inline bool send(void *ctx, struct msi_message message)
{
	ck_assert_ptr_eq(ctx, &sent);
	ck_assert_uint_eq(message.address, 0xfee00000);
	ck_assert_uint_lt(message.data, ARRAY_SIZE(sent));
	sent[message.data]++;
	return true;
}

static inline uint64_t get(uint64_t offset, unsigned size)
{
	return virtio_pci_bus_ops.read(&pci, offset, size) & all_ones(size);
}

static inline void put(uint64_t offset, unsigned size, uint64_t value)
{
	virtio_pci_bus_ops.write(&pci, offset, size, value);
}

static inline uint32_t config_get(unsigned offset, unsigned size)
{
	return (uint32_t)pci_function_read(&pci.function, offset, size);
}

static inline void config_put(unsigned offset, unsigned size, uint32_t value)
{
	pci_function_write(&pci.function, offset, size, value);
}

static inline void set_up(void)
{
	struct virtio_transport_config config = device_set_up();
	const struct msi_handle msi = {.send = send, .ctx = &sent};

	ck_assert_int_eq(virtio_pci_init(&pci, &config, BASE, CLASS, &msi), 0);
	memset(sent, 0, sizeof(sent));
}

static inline void tear_down(void)
{
	virtio_pci_fini(&pci);
	device_tear_down();
}

/* Where the capability of this type lies: MSI-X is of type 0. */
static inline unsigned find_capability(unsigned type)
{
	unsigned at = config_get(PCI_CAPABILITY_LIST, 1), found = 0;

	for (unsigned n = 0; at && n < 16; n++, at = config_get(at + PCI_CAP_LIST_NEXT, 1)) {
		unsigned id = config_get(at, 1);
		bool is_it =
			type ? id == PCI_CAP_ID_VNDR && config_get(at + VIRTIO_PCI_CAP_CFG_TYPE, 1) == type
			     : id == PCI_CAP_ID_MSIX;

		if (is_it) {
			ck_assert_uint_eq(found, 0);
			found = at;
		}
	}
	ck_assert_uint_ne(found, 0);
	return found;
}

static inline void msix_flags(uint16_t flags)
{
	config_put(find_capability(0) + PCI_MSIX_FLAGS, 2, flags);
}

/* Vector n's message has n for its data. */
static inline void enable_msix(void)
{
	for (unsigned i = 0; i < 3; i++) {
		put(TABLE + 16 * i, 8, 0xfee00000);
		put(TABLE + 16 * i + 8, 8, i);
	}
	msix_flags(PCI_MSIX_FLAGS_ENABLE);
}

static inline void negotiate(uint64_t features)
{
	put(STATUS, VIRTIO_CONFIG_S_ACKNOWLEDGE);
	put(STATUS, ACK_DRIVER);
	for (uint32_t word = 0; word < 2; word++) {
		put(GFSELECT, word);
		put(GF, (uint32_t)(features >> (32 * word)));
	}
	put(STATUS, FEATURES_OK);
}

static inline void put_address(unsigned low, uint64_t value)
{
	put(low, 4, (uint32_t)value);
	put(low + 4, 4, value >> 32);
}

static inline void ready_queue(unsigned index, const struct virtqueue_config *config)
{
	put(Q_SELECT, index);
	put(Q_SIZE, config->size);
	put_address(VIRTIO_PCI_COMMON_Q_DESCLO, config->desc);
	put_address(VIRTIO_PCI_COMMON_Q_AVAILLO, config->avail);
	put_address(VIRTIO_PCI_COMMON_Q_USEDLO, config->used);
	put(Q_ENABLE, 1);
}

/* The second ring, of the other queue. */
static inline struct virtqueue_config second_ring(void)
{
	struct virtqueue_config config = ring.config;

	config.desc += KIB(32);
	config.avail += KIB(32);
	config.used += KIB(32);
	return config;
}

/* A driver's whole start, with queues 0 and 1, the second of which has `ring`; config, queue 0, queue 1: their vectors. */
static inline void start(unsigned config, unsigned queue_0, unsigned queue_1)
{
	const unsigned vectors[] = {queue_0, queue_1};
	const struct virtqueue_config other = second_ring();

	enable_msix();
	negotiate(VERSION_1);
	put(CONFIG_V, config);
	for (unsigned i = 0; i < 2; i++) {
		ready_queue(i, i ? &ring.config : &other);
		put(Q_VECTOR, vectors[i]);
		ck_assert_uint_eq(get(Q_VECTOR), vectors[i]);
	}
	put(STATUS, DRIVER_OK);
	ck_assert_uint_eq(get(STATUS), DRIVER_OK);
	doorbell_clear(&bell);
}

/* A request in each of these queues, a bit each, and all of them served. */
static inline void request(unsigned queues)
{
	const struct virtqueue_config other = second_ring();
	uint16_t index;

	ring_desc(&ring, other.desc, 0, RING_DATA, 1, 0, 0);
	if (queues & 1) {
		struct vring_avail *avail = ring_at(&ring, other.avail);

		index = avail->idx;
		avail->ring[index % SIZE] = 0;
		__atomic_store_n(&avail->idx, index + 1, __ATOMIC_SEQ_CST);
	}
	if (queues & 2)
		offer(0);
	virtio_transport_serve(&pci.transport);
}

static inline void check_sent(unsigned of_0, unsigned of_1, unsigned of_2)
{
	ck_assert_uint_eq(sent[0], of_0);
	ck_assert_uint_eq(sent[1], of_1);
	ck_assert_uint_eq(sent[2], of_2);
	ck_assert_uint_eq(sent[3], 0);
	memset(sent, 0, sizeof(sent));
}
