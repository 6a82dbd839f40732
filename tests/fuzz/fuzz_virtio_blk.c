/*
 * A driver and its disk: the block device behind virtio-mmio or virtio-pci, entered as vCPUs and the I/O thread do, in
 * front of a backend that finishes what it likes when it likes. The input is the driver's program, most of which is what a
 * driver would do, so that the lies in it get far.
 */
#include "fuzz.h"

#include <linux/virtio_blk.h>
#include <linux/virtio_config.h>
#include <linux/virtio_ring.h>
#include <poll.h>

#include "mock_disk.h"
#include "taken.h"
#include "transports.h"
#include "util/clock.h"
#include "virtio/virtio_blk.h"

#define QUEUES      3
#define STEPS_MAX   512
#define RING_STRIDE KIB(16) /* a queue's rings and descriptors, from 0 on */
#define TABLE_OF(i) ((gpa_t)(i)*RING_STRIDE)
#define AVAIL_OF(i) (TABLE_OF(i) + KIB(4))
#define USED_OF(i)  (TABLE_OF(i) + KIB(8))
#define DATA        KIB(52) /* headers and status bytes, up to the end of the low memory */
#define QUEUE_SIZE  16      /* unless the driver says otherwise */
#define ON_PCI \
	0xfe /* the first byte of an input for virtio-pci; behind it is what is an input's first else */

/* All of it is made anew for each input. */
static struct {
	struct fuzz_input input;
	const struct guest_memory *mem;
	struct mock_disk disk;
	struct virtio_blk blk;
	unsigned takes;  /* calls of take() in this call of serve() */
	bool full;       /* the last one found the device full, of requests or of bytes */
	unsigned refill; /* so many requests come in while others are taken */
	uint16_t avail_idx[QUEUES];
	uint16_t next_desc[QUEUES];
} rig;

static struct doorbell bell = {.fd = -1};

static void offer(unsigned queue, uint16_t head)
{
	uint16_t idx = rig.avail_idx[queue]++;

	guest_memory_write(rig.mem, AVAIL_OF(queue) + 4 + 2 * (idx % QUEUE_SIZE), &head, sizeof(head));
	guest_memory_write(rig.mem, AVAIL_OF(queue) + 2, &rig.avail_idx[queue], sizeof(idx));
}

/* virtio_blk_ops, but for this: what breaks its queue is never answered. And nobody takes for ever. */
static int take(void *dev, unsigned index, struct virtqueue *queue, const struct guest_memory *mem,
	uint64_t *ret_not_before)
{
	unsigned before = taken_count;
	int r = virtio_blk_ops.take(dev, index, queue, mem, ret_not_before);

	FUZZ_CHECK(++rig.takes <= VIRTIO_ROUNDS * VIRTIO_BATCH * QUEUES);
	FUZZ_CHECK(r == 1 || r == 0 || r == -EPROTO || r == -EAGAIN || r == -EBUSY);
	FUZZ_CHECK(r != -EAGAIN || *ret_not_before > fuzz_clock());
	rig.full = r == -EBUSY;
	if (r == -EPROTO)
		taken_count = before;
	FUZZ_CHECK(r == 1 || taken_count == before);
	/* Just when the device has taken one, or has seen that there is none. */
	if ((r == 1 || r == 0) && rig.refill) {
		rig.refill--;
		offer(index, taken_count ? taken[taken_count - 1].head : 0);
	}
	return r;
}

static bool rung(void)
{
	struct pollfd fd = {.fd = bell.fd, .events = POLLIN};

	return poll(&fd, 1, 0) == 1;
}

static void ready_queue(unsigned index, uint32_t size)
{
	put(VIRTIO_MMIO_QUEUE_SEL, index);
	put(VIRTIO_MMIO_QUEUE_NUM, size);
	put(VIRTIO_MMIO_QUEUE_DESC_LOW, (uint32_t)TABLE_OF(index));
	put(VIRTIO_MMIO_QUEUE_AVAIL_LOW, (uint32_t)AVAIL_OF(index));
	put(VIRTIO_MMIO_QUEUE_USED_LOW, (uint32_t)USED_OF(index));
	put(VIRTIO_MMIO_QUEUE_READY, 1);
	rig.avail_idx[index] = 0;
	guest_memory_write(rig.mem, AVAIL_OF(index) + 2, &rig.avail_idx[index], 2);
}

/* A driver's start; refuse: features that it does not take. */
static void start_driver(uint64_t refuse)
{
	uint64_t features = 0;

	put(VIRTIO_MMIO_STATUS, VIRTIO_CONFIG_S_ACKNOWLEDGE);
	put(VIRTIO_MMIO_STATUS, VIRTIO_CONFIG_S_ACKNOWLEDGE | VIRTIO_CONFIG_S_DRIVER);
	for (uint32_t word = 0; word < 2; word++) {
		put(VIRTIO_MMIO_DEVICE_FEATURES_SEL, word);
		features |= (uint64_t)get(VIRTIO_MMIO_DEVICE_FEATURES) << (32 * word);
	}
	features &= ~refuse;
	for (uint32_t word = 0; word < 2; word++) {
		put(VIRTIO_MMIO_DRIVER_FEATURES_SEL, word);
		put(VIRTIO_MMIO_DRIVER_FEATURES, (uint32_t)(features >> (32 * word)));
	}
	put(VIRTIO_MMIO_STATUS,
		VIRTIO_CONFIG_S_ACKNOWLEDGE | VIRTIO_CONFIG_S_DRIVER | VIRTIO_CONFIG_S_FEATURES_OK);
	for (unsigned i = 0; i < transports.common->config.queue_count; i++)
		ready_queue(i, QUEUE_SIZE);
	start_interrupts();
	put(VIRTIO_MMIO_STATUS, VIRTIO_CONFIG_S_ACKNOWLEDGE | VIRTIO_CONFIG_S_DRIVER |
					VIRTIO_CONFIG_S_FEATURES_OK | VIRTIO_CONFIG_S_DRIVER_OK);
}

/* What the driver offered and the device did not take; where the rings are the device's own doing, nobody knows. */
static bool has_more(unsigned index)
{
	const struct virtqueue *queue = &transports.common->queues[index].queue;
	const uint8_t *low = rig.mem->regions[0].hva;

	return (const uint8_t *)queue->desc == low + TABLE_OF(index) &&
	       (const uint8_t *)queue->avail == low + AVAIL_OF(index) &&
	       (uint8_t *)queue->used == low + USED_OF(index) && queue->avail->idx == rig.avail_idx[index] &&
	       queue->avail->idx != queue->state.next_avail;
}

/* After it, nothing waits that nobody will look at again. */
static void serve(void)
{
	uint32_t bits = VIRTIO_CONFIG_S_DRIVER_OK | VIRTIO_CONFIG_S_NEEDS_RESET | VIRTIO_CONFIG_S_FAILED;
	uint64_t not_before;

	rig.takes = 0;
	rig.full = false;
	doorbell_clear(&bell);
	not_before = virtio_transport_serve(transports.common);
	FUZZ_CHECK(!not_before || not_before > fuzz_clock());
	if (not_before || rung() || (transports.common->state.status & bits) != VIRTIO_CONFIG_S_DRIVER_OK)
		return;
	if (rig.full) {
		FUZZ_CHECK(mock_disk_under_way(&rig.disk) > 0); /* whose end will be seen */
		return;
	}
	for (unsigned i = 0; i < transports.common->config.queue_count; i++)
		FUZZ_CHECK(!has_more(i));
}

static void check_reset(void)
{
	FUZZ_CHECK(taken_count == 0 && mock_disk_under_way(&rig.disk) == 0 && rig.blk.under_way == 0);
	FUZZ_CHECK(get(VIRTIO_MMIO_STATUS) == 0 && get(VIRTIO_MMIO_INTERRUPT_STATUS) == 0);
	for (unsigned i = 0; i < transports.common->config.queue_count; i++)
		FUZZ_CHECK(!virtqueue_started(&transports.common->queues[i].queue));
}

/* One register, as any vCPU may: virtio-pci's lie far apart. */
static void access_register(void)
{
	static const uint16_t parts[] = {0, 0, 0x100, 0x200, VIRTIO_PCI_DOORBELL, 0x2000, 0x2000, 0x3000};
	struct fuzz_input *input = &rig.input;
	uint8_t kind = fuzz_byte(input);
	unsigned size = kind & 0x80 ? 1u << (kind & 3) : 4;
	uint64_t offset = kind & 0x40 ? fuzz_below(input, 0x200 + 1 - size) : fuzz_below(input, 0x40) * 4;
	uint64_t space = transports.on_pci ? 0x200 : VIRTIO_MMIO_CONFIG, value;

	if (transports.on_pci && (kind & 0x80))
		offset = MIN(parts[kind >> 2 & 7] + offset, VIRTIO_PCI_BAR_SIZE - size);
	else if (transports.on_pci)
		offset = choose_field(parts[kind >> 2 & 7], (unsigned)offset / (kind & 0x40 ? 1 : 2), &size);
	if (kind & 0x20) {
		value = read_at(offset, size);
		/* 5.2.4: what the space does not have reads 0. */
		if (offset >= space + sizeof(struct virtio_blk_config) && offset < 0x2000 && decodes())
			FUZZ_CHECK(value == 0);
		return;
	}
	value = fuzz_number(input) & all_ones(size);
	write_at(offset, size, value);
	if (is_register(VIRTIO_MMIO_STATUS, offset, size) && value == 0)
		check_reset();
}

static uint16_t put_desc(unsigned queue, gpa_t addr, uint32_t len, uint16_t flags)
{
	uint16_t index = rig.next_desc[queue] % QUEUE_SIZE;
	struct vring_desc desc = {
		.addr = addr, .len = len, .flags = flags, .next = (uint16_t)((index + 1) % QUEUE_SIZE)};
	struct fuzz_input *input = &rig.input;
	uint8_t lie = fuzz_byte(input);

	/* One in 16 has something wrong in it. */
	switch (lie) {
	case 0xf0:
		desc.addr = fuzz_gpa(input);
		break;
	case 0xf1:
		desc.len = (uint32_t)fuzz_number(input);
		break;
	case 0xf2:
		desc.flags = (uint16_t)fuzz_number(input);
		break;
	case 0xf3:
		desc.next = (uint16_t)fuzz_number(input);
		break;
	case 0xf4:
		desc.next = index;
		break;
	case 0xf5:
		desc.flags ^= VRING_DESC_F_WRITE;
		break;
	case 0xf6:
		desc.flags ^= VRING_DESC_F_NEXT;
		break;
	case 0xf7:
		desc.len = 0;
		break;
	case 0xf8:
		desc.len = UINT32_MAX;
		break;
	case 0xf9:
		desc.addr = FUZZ_HIGH_BASE;
		desc.len = UINT32_MAX;
		break;
	case 0xfa: /* across the end of a region */
		desc.addr = (fuzz_byte(input) & 1 ? FUZZ_HOLE : FUZZ_LOW_SIZE) - fuzz_below(input, 1024);
		break;
	}
	guest_memory_write(rig.mem, TABLE_OF(queue) + 16 * index, &desc, sizeof(desc));
	rig.next_desc[queue]++;
	return index;
}

/* Data of a request: the segments of an OUT or an IN, or what the others have there. */
static void put_data(unsigned queue, uint32_t type, uint16_t flags)
{
	struct fuzz_input *input = &rig.input;
	unsigned count = 1;

	if (type == VIRTIO_BLK_T_FLUSH)
		return;
	if (type == VIRTIO_BLK_T_DISCARD || type == VIRTIO_BLK_T_WRITE_ZEROES) {
		struct virtio_blk_discard_write_zeroes range;
		gpa_t at = FUZZ_MID_BASE + queue * KIB(1);

		count = (unsigned)fuzz_below(input, 20);
		for (unsigned i = 0; i < count; i++) {
			range.sector = fuzz_byte(input) & 0x80 ? fuzz_number(input) : fuzz_byte(input);
			range.num_sectors = (uint32_t)fuzz_number(input);
			range.flags = fuzz_byte(input) & 0x81;
			guest_memory_write(rig.mem, at + i * sizeof(range), &range, sizeof(range));
		}
		put_desc(queue, at, (uint32_t)(count * sizeof(range)), VRING_DESC_F_NEXT | flags);
		return;
	}
	if (type == VIRTIO_BLK_T_GET_ID) {
		put_desc(queue, FUZZ_MID_BASE + 0x4000, VIRTIO_BLK_ID_BYTES, VRING_DESC_F_NEXT | flags);
		return;
	}
	for (count = (unsigned)fuzz_below(input, 5); count; count--) {
		uint8_t kind = fuzz_byte(input);
		uint32_t len = kind & 0x80 ? (uint32_t)fuzz_number(input) : 512u * (kind & 15);

		put_desc(queue, kind & 0x40 ? FUZZ_HIGH_BASE + kind : FUZZ_MID_BASE + 0x800, len,
			VRING_DESC_F_NEXT | flags);
	}
}

/* Moves the descriptors that were written since `first` into a table of their own. */
static uint16_t make_indirect(unsigned queue, uint16_t first, uint16_t end)
{
	gpa_t table = FUZZ_MID_BASE + 0x6000 + queue * KIB(1);
	uint16_t count = (uint16_t)(end - first);
	struct vring_desc desc;

	for (uint16_t i = 0; i < count && i < QUEUE_SIZE; i++) {
		if (guest_memory_read(
			    rig.mem, TABLE_OF(queue) + 16 * ((first + i) % QUEUE_SIZE), &desc, sizeof(desc)))
			return first % QUEUE_SIZE;
		if (desc.next == (first + i + 1) % QUEUE_SIZE)
			desc.next = (uint16_t)(i + 1);
		guest_memory_write(rig.mem, table + 16 * i, &desc, sizeof(desc));
	}
	return put_desc(queue, table, 16u * count, VRING_DESC_F_INDIRECT);
}

/* A whole request: header, data and status. */
static void make_request(void)
{
	static const uint32_t types[] = {VIRTIO_BLK_T_IN, VIRTIO_BLK_T_OUT, VIRTIO_BLK_T_FLUSH,
		VIRTIO_BLK_T_GET_ID, VIRTIO_BLK_T_DISCARD, VIRTIO_BLK_T_WRITE_ZEROES, VIRTIO_BLK_T_IN,
		VIRTIO_BLK_T_OUT};
	struct fuzz_input *input = &rig.input;
	uint8_t kind = fuzz_byte(input);
	unsigned queue = kind / 64 % QUEUES;
	struct virtio_blk_outhdr header = {.type = types[kind % 8], .sector = fuzz_byte(input)};
	uint16_t first = rig.next_desc[queue], head;
	gpa_t at = DATA + queue * KIB(2) + first % QUEUE_SIZE * 32;
	bool in = header.type == VIRTIO_BLK_T_IN || header.type == VIRTIO_BLK_T_GET_ID;
	uint32_t room = fuzz_byte(input);

	if (header.sector >= 0xf0)
		header.sector = fuzz_number(input);
	if ((kind & 0x38) == 0x38) {
		header.type = (uint32_t)fuzz_number(input);
		header.sector = fuzz_number(input);
	}
	guest_memory_write(rig.mem, at, &header, sizeof(header));
	head = put_desc(queue, at, room == 0xff ? 15 : sizeof(header), VRING_DESC_F_NEXT);
	put_data(queue, header.type, in ? VRING_DESC_F_WRITE : 0);
	put_desc(queue, at + 16, 1, VRING_DESC_F_WRITE);
	if (kind & 8)
		head = make_indirect(queue, first, rig.next_desc[queue]);
	offer(queue, head);
	/* The same one again: no driver does so, and none is kept from it. */
	for (; room >= 0xf0 && room < 0xfe; room++)
		offer(queue, head);
}

/* Rewrites what the device may just be using: a word of a ring, of a descriptor, or anywhere. */
static void poke(void)
{
	struct fuzz_input *input = &rig.input;
	uint8_t kind = fuzz_byte(input);
	unsigned queue = kind / 64 % QUEUES, len = 1u << (kind & 3);
	const gpa_t places[] = {TABLE_OF(queue) + fuzz_byte(input), AVAIL_OF(queue) + fuzz_below(input, 64),
		USED_OF(queue) + fuzz_byte(input), fuzz_gpa(input)};
	uint64_t value = fuzz_number(input);

	guest_memory_write(rig.mem, places[kind >> 2 & 3], &value, len);
	/* Where the index went, the driver goes on. */
	guest_memory_read(rig.mem, AVAIL_OF(queue) + 2, &rig.avail_idx[queue], 2);
}

static void stop_queue(void)
{
	uint8_t kind = fuzz_byte(&rig.input);
	unsigned index = kind % QUEUES;
	const struct virtqueue *queue = &transports.common->queues[index].queue;

	if (index >= transports.common->config.queue_count)
		return;
	put(VIRTIO_MMIO_QUEUE_SEL, index);
	put(VIRTIO_MMIO_QUEUE_READY, 0);
	if (!virtqueue_started(queue))
		for (unsigned i = 0; i < taken_count; i++)
			FUZZ_CHECK(taken[i].queue != queue);
	if (kind & 0x80)
		ready_queue(index, kind & 0x40 ? (uint32_t)fuzz_number(&rig.input) : QUEUE_SIZE);
}

static void reset_driver(void)
{
	uint8_t kind = fuzz_byte(&rig.input);

	come_home();
	put(VIRTIO_MMIO_STATUS, 0);
	check_reset();
	if (kind & 0xf0)
		start_driver(fuzz_bytes(&rig.input, kind & 7));
}

static void drain(void)
{
	virtio_transport_drain(transports.common);
	FUZZ_CHECK(taken_count == 0 && mock_disk_under_way(&rig.disk) == 0 && rig.blk.under_way == 0);
}

static void change_host(void)
{
	static const int errors[] = {0, 0, -EIO, -ENOSPC, -EOPNOTSUPP, -EINVAL, 0, 0};
	uint8_t kind = fuzz_byte(&rig.input);

	switch (kind & 3) {
	case 0:
		rig.disk.hold = kind & 0x80;
		break;
	case 1:
		rig.disk.fail = errors[kind >> 4 & 7];
		break;
	case 2:
		virtio_blk_set_rate(&rig.blk, fuzz_number(&rig.input), fuzz_number(&rig.input));
		break;
	default:
		fuzz_clock_set(fuzz_clock() + fuzz_bytes(&rig.input, 4) * (kind & 0x80 ? 1000 : 1));
		virtio_blk_throttled_ns(&rig.blk);
		break;
	}
}

static void step(void)
{
	uint8_t kind = fuzz_byte(&rig.input);

	switch (kind % 16) {
	case 0:
	case 1:
	case 2:
	case 3:
	case 4:
		make_request();
		break;
	case 5:
		put(VIRTIO_MMIO_QUEUE_NOTIFY, kind / 16);
		serve();
		break;
	case 6:
	case 7:
		serve();
		break;
	case 8:
		for (unsigned i = kind / 16; i && rig.disk.kicked_count; i--)
			mock_disk_finish(&rig.disk, (unsigned)fuzz_below(&rig.input, rig.disk.kicked_count));
		break;
	case 9:
		access_register();
		break;
	case 10:
		poke();
		break;
	case 11:
		if (transports.on_pci)
			access_config(&rig.input); /* a queue stops with its device */
		else
			stop_queue();
		break;
	case 12:
		reset_driver();
		break;
	case 13:
		drain();
		break;
	case 14:
		change_host();
		break;
	default:
		acknowledge();
		rig.refill = kind & 0x80 ? fuzz_byte(&rig.input) * 4u : 0;
		break;
	}
	check_interrupts();
	/* All that the device holds was taken, and no more of it is under way. */
	FUZZ_CHECK(rig.blk.under_way == mock_disk_under_way(&rig.disk) && rig.blk.under_way <= taken_count);
}

static void set_up(void)
{
	static struct virtio_device_ops ops;
	uint8_t first = fuzz_byte(&rig.input);
	bool on_pci = first == ON_PCI;
	uint8_t kind = on_pci ? fuzz_byte(&rig.input) : first;
	unsigned queues = kind % QUEUES + 1;
	struct virtio_transport_config config = {
		.mem = fuzz_memory(),
		.ops = &ops,
		.dev = &rig.blk,
		.doorbell = &bell,
		.queue_count = queues,
	};

	ops = virtio_blk_ops;
	ops.take = take;
	rig.mem = config.mem;
	rig.disk.block = (struct block_backend){
		.ops = &mock_disk_ops,
		.size = kind & 4 ? GIB(8) : 64 * 512,
		.logical_size = kind & 8 ? 4096 : 512,
		.physical_size = 4096,
		.read_only = (kind & 0x30) == 0x30,
		.can_discard = (kind & 0x30) == 0x10 || (kind & 0x30) == 0,
		.can_write_zeroes = (kind & 0x30) == 0x20 || (kind & 0x30) == 0,
	};
	rig.disk.hold = kind & 0x40;
	fuzz_clock_set(NS_PER_S);
	if (bell.fd < 0)
		FUZZ_CHECK(!doorbell_init(&bell));
	doorbell_clear(&bell);
	FUZZ_CHECK(!virtio_blk_init(&rig.blk, &rig.disk.block, "fuzz", queues));
	transports_init(&config, on_pci);
	if (!(kind & 0x80))
		start_driver(0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	memset(&rig, 0, sizeof(rig));
	taken_count = 0;
	rig.input = (struct fuzz_input){.at = data, .left = size};
	set_up();
	for (unsigned i = 0; i < STEPS_MAX && rig.input.left; i++)
		step();
	drain();
	transports_fini();
	virtio_blk_fini(&rig.blk);
	return 0;
}
