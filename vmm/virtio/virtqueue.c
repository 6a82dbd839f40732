#include "virtio/virtqueue.h"

#include <errno.h>
#include <linux/virtio_ring.h>

#include "memory/guest_memory.h"
#include "util/bytes.h"

/*
 * Sequentially consistent accesses stand where each side stores its word and then loads the
 * other's: used.idx against used_event, avail_event (or flags) against avail.idx (2.7.7.2, 2.7.10).
 * A fence would do as well, but ThreadSanitizer does not know fences.
 */
#define load_relaxed(word)       __atomic_load_n(&(word), __ATOMIC_RELAXED)
#define load_acquire(word)       __atomic_load_n(&(word), __ATOMIC_ACQUIRE)
#define load_total(word)         __atomic_load_n(&(word), __ATOMIC_SEQ_CST)
#define store_relaxed(word, val) __atomic_store_n(&(word), (val), __ATOMIC_RELAXED)
#define store_total(word, val)   __atomic_store_n(&(word), (val), __ATOMIC_SEQ_CST)

/* What a chain may hold in all: a length in the used ring has 32 bits (2.7.5.2). */
#define CHAIN_BYTES_MAX GIB(4)

int virtqueue_start(struct virtqueue *queue, const struct guest_memory *mem,
	const struct virtqueue_config *config, uint64_t features, unsigned size_max)
{
	uint32_t size = config->size;
	struct virtqueue new = {
		.indirect = features >> VIRTIO_RING_F_INDIRECT_DESC & 1,
		.event_idx = features >> VIRTIO_RING_F_EVENT_IDX & 1,
	};

	if (size == 0 || (size & (size - 1)) || size > MIN(size_max, VIRTQUEUE_SIZE_MAX))
		return -EPROTO;
	if (config->desc % VRING_DESC_ALIGN_SIZE || config->avail % VRING_AVAIL_ALIGN_SIZE ||
		config->used % VRING_USED_ALIGN_SIZE)
		return -EPROTO;
	/* Each ring ends with the other side's event index, used or not (2.7). */
	new.size = (uint16_t)size;
	new.desc = guest_memory_at(mem, config->desc, sizeof(struct vring_desc) * size);
	new.avail = guest_memory_at(mem, config->avail, 6 + 2 * (uint64_t)size);
	new.used = guest_memory_at(mem, config->used, 6 + 8 * (uint64_t)size);
	if (!new.desc || !new.avail || !new.used)
		return -EPROTO;
	*queue = new;
	return 0;
}

void virtqueue_stop(struct virtqueue *queue)
{
	*queue = (struct virtqueue){0};
}

/* Tables of indirect descriptors need no alignment, so this is a copy and not two atomic loads. */
static struct vring_desc fetch_desc(const struct vring_desc *from)
{
	struct vring_desc desc;

	memcpy(&desc, from, sizeof(desc));
	/* The copy is what is judged and used: the compiler must not load from the guest again. */
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	return desc;
}

static int add_segment(struct virtqueue_chain *chain, const struct guest_memory *mem,
	const struct vring_desc *desc, bool *in_part)
{
	unsigned count = chain->out_count + chain->in_count;
	bool write = desc->flags & VRING_DESC_F_WRITE;
	void *hva;

	if (*in_part && !write)
		return -EPROTO; /* 2.7.4.2: what the device reads comes first */
	*in_part = write;
	/*
	 * No rule forbids an empty buffer; there is nothing in it to point at, so its address is
	 * not judged.
	 */
	if (desc->len == 0)
		return 0;
	if (count == VIRTQUEUE_CHAIN_MAX)
		return -EPROTO;
	if (chain->out_len + chain->in_len + desc->len > CHAIN_BYTES_MAX)
		return -EPROTO;
	hva = guest_memory_at(mem, desc->addr, desc->len);
	if (!hva)
		return -EPROTO;
	chain->segments[count] = (struct iovec){.iov_base = hva, .iov_len = desc->len};
	if (write) {
		chain->in_count++;
		chain->in_len += desc->len;
	} else {
		chain->out_count++;
		chain->out_len += desc->len;
	}
	return 0;
}

/* A descriptor table that is being walked: the queue's own or an indirect one. */
struct desc_table {
	const struct vring_desc *desc;
	unsigned count;
	unsigned left; /* descriptors that may still be seen: a loop runs out of them (2.7.5.2) */
	bool indirect;
};

/*
 * 2.7.5.3. The table may be as long as the longest chain that is served even where the queue is
 * shorter: Linux makes the queue smaller when memory is tight, but not its chains.
 */
static int enter_indirect(const struct virtqueue *queue, const struct guest_memory *mem,
	const struct vring_desc *desc, struct desc_table *table)
{
	unsigned count = desc->len / sizeof(struct vring_desc);
	const void *hva;

	if (!queue->indirect || table->indirect || (desc->flags & VRING_DESC_F_NEXT))
		return -EPROTO;
	if (count == 0 || desc->len % sizeof(struct vring_desc) || count > VIRTQUEUE_CHAIN_MAX)
		return -EPROTO;
	hva = guest_memory_at(mem, desc->addr, desc->len);
	if (!hva)
		return -EPROTO;
	*table = (struct desc_table){.desc = hva, .count = count, .left = count, .indirect = true};
	return 0;
}

static int walk_chain(
	const struct virtqueue *queue, const struct guest_memory *mem, struct virtqueue_chain *chain)
{
	struct desc_table table = {.desc = queue->desc, .count = queue->size, .left = queue->size};
	unsigned index = chain->head;
	bool in_part = false;

	for (;;) {
		struct vring_desc desc;
		int r;

		if (index >= table.count || table.left == 0)
			return -EPROTO;
		table.left--;
		desc = fetch_desc(&table.desc[index]);
		if (desc.flags & VRING_DESC_F_INDIRECT) {
			/* The write flag of this descriptor means nothing (2.7.5.3.2). */
			r = enter_indirect(queue, mem, &desc, &table);
			index = 0;
		} else {
			r = add_segment(chain, mem, &desc, &in_part);
			if (r == 0 && !(desc.flags & VRING_DESC_F_NEXT))
				return 0;
			index = desc.next;
		}
		if (r < 0)
			return r;
	}
}

int virtqueue_pop(struct virtqueue *queue, const struct guest_memory *mem, struct virtqueue_chain *ret_chain)
{
	/* Acquire: the ring and the descriptors were written before the index. */
	uint16_t waiting = load_acquire(queue->avail->idx) - queue->state.next_avail;
	uint16_t head;
	int r;

	if (waiting == 0)
		return 0;
	if (waiting > queue->size)
		return -EPROTO;
	head = load_relaxed(queue->avail->ring[queue->state.next_avail & (queue->size - 1)]);
	ret_chain->head = head;
	ret_chain->out_count = ret_chain->in_count = 0;
	ret_chain->out_len = ret_chain->in_len = 0;
	r = walk_chain(queue, mem, ret_chain);
	if (r < 0)
		return r;
	ret_chain->out = ret_chain->segments;
	ret_chain->in = ret_chain->segments + ret_chain->out_count;
	queue->state.next_avail++;
	return 1;
}

void virtqueue_unpop(struct virtqueue *queue)
{
	queue->state.next_avail--;
}

void virtqueue_push(struct virtqueue *queue, uint16_t head, uint32_t written)
{
	struct vring_used_elem *elem = &queue->used->ring[queue->state.next_used & (queue->size - 1)];

	store_relaxed(elem->id, head);
	store_relaxed(elem->len, written);
	queue->state.next_used++;
	/* Releases the element and the data, and comes before used_event is looked at. */
	store_total(queue->used->idx, queue->state.next_used);
}

bool virtqueue_should_interrupt(struct virtqueue *queue)
{
	uint16_t new = queue->state.next_used;
	uint16_t old = queue->state.signalled;
	uint16_t event;

	queue->state.signalled = new;
	if (new == old)
		return false;
	if (!queue->event_idx)
		return !(load_total(queue->avail->flags) & VRING_AVAIL_F_NO_INTERRUPT);
	/* 2.7.7.2: yes if the entry it names, used_event, is one of [old, new). */
	event = load_total(queue->avail->ring[queue->size]);
	return (uint16_t)(new - event - 1) < (uint16_t)(new - old);
}

void virtqueue_disable_notify(struct virtqueue *queue)
{
	/* With event_idx an avail_event that stays behind says the same (2.7.10). */
	if (queue->event_idx || queue->state.notify_off)
		return;
	queue->state.notify_off = true;
	store_relaxed(queue->used->flags, VRING_USED_F_NO_NOTIFY);
}

bool virtqueue_enable_notify(struct virtqueue *queue)
{
	/* avail_event lies behind the used ring's last element. */
	uint16_t *avail_event = (uint16_t *)&queue->used->ring[queue->size];

	if (queue->event_idx)
		store_total(*avail_event, queue->state.next_avail);
	else
		store_total(queue->used->flags, 0);
	queue->state.notify_off = false;
	return load_total(queue->avail->idx) != queue->state.next_avail;
}

/* Drops len bytes, and then empty segments, from the front. */
static void consume(struct iovec **iov, unsigned *count, uint64_t *total, size_t len)
{
	*total -= len;
	while (*count > 0 && len >= (*iov)->iov_len) {
		len -= (*iov)->iov_len;
		(*iov)++;
		(*count)--;
	}
	if (len > 0) {
		(*iov)->iov_base = (uint8_t *)(*iov)->iov_base + len;
		(*iov)->iov_len -= len;
	}
}

int virtqueue_chain_read(struct virtqueue_chain *chain, void *to, size_t len)
{
	uint8_t *at = to;
	size_t left = len;

	if (len > chain->out_len)
		return -EPROTO;
	for (const struct iovec *iov = chain->out; left > 0; iov++) {
		size_t part = MIN(left, iov->iov_len);

		memcpy(at, iov->iov_base, part);
		at += part;
		left -= part;
	}
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	consume(&chain->out, &chain->out_count, &chain->out_len, len);
	return 0;
}

size_t virtqueue_chain_write(struct virtqueue_chain *chain, const void *from, size_t len)
{
	size_t room = MIN(len, chain->in_len);
	const uint8_t *at = from;
	size_t left = room;

	for (const struct iovec *iov = chain->in; left > 0; iov++) {
		size_t part = MIN(left, iov->iov_len);

		memcpy(iov->iov_base, at, part);
		at += part;
		left -= part;
	}
	consume(&chain->in, &chain->in_count, &chain->in_len, room);
	return room;
}

uint8_t *virtqueue_chain_take_last(struct virtqueue_chain *chain)
{
	struct iovec *last;

	if (chain->in_count == 0)
		return NULL;
	last = &chain->in[chain->in_count - 1];
	last->iov_len--;
	chain->in_len--;
	if (last->iov_len == 0)
		chain->in_count--;
	return (uint8_t *)last->iov_base + last->iov_len;
}
