/*
 * A split virtqueue, device side (virtio 1.2, 2.7).
 *
 *   descriptor table   size x {addr, len, flags, next}   the driver writes
 *   available ring     flags, idx, ring[size], used_event   the driver writes: heads of chains to
 * serve used ring          flags, idx, {id, len}[size], avail_event   the device writes: chains
 * served
 *
 * All three lie in guest memory, and the guest may change any word at any time. Every word is
 * fetched once and judged in host memory; what breaks the rules is -EPROTO, never a crash, and then
 * the queue is finished until the driver resets the device.
 *
 * Not thread-safe: the transport's lock guards it.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

struct guest_memory;
struct vring_avail;
struct vring_desc;
struct vring_used;

/* The largest queue, and the longest chain that is served: it fits the host's IOV_MAX. */
#define VIRTQUEUE_SIZE_MAX  256
#define VIRTQUEUE_CHAIN_MAX VIRTQUEUE_SIZE_MAX

/* What the driver says of a queue before it makes it ready. */
struct virtqueue_config {
	uint64_t desc;  /* guest-physical addresses */
	uint64_t avail; /* "driver area" */
	uint64_t used;  /* "device area" */
	uint32_t size;  /* descriptors */
};

/* Where the device stands; the ring's indices run freely and wrap at 65536. */
struct virtqueue_state {
	uint16_t next_avail; /* the next available entry to take */
	uint16_t next_used;  /* the next used entry to fill */
	uint16_t signalled;  /* next_used when virtqueue_should_interrupt() was last asked */
	bool notify_off;     /* the driver was told not to notify */
};

struct virtqueue {
	const struct vring_desc *desc; /* host addresses; NULL: the queue is not started */
	const struct vring_avail *avail;
	struct vring_used *used;
	uint16_t size;
	bool indirect;  /* negotiated: VIRTIO_F_INDIRECT_DESC */
	bool event_idx; /* negotiated: VIRTIO_F_EVENT_IDX */
	struct virtqueue_state state;
};

/*
 * One request: the segments the driver wrote, then those it wants written, each checked to be guest
 * memory. `out` and `in` may be consumed from the front by the functions below, or given to readv()
 * and writev().
 */
struct virtqueue_chain {
	uint16_t head;
	unsigned out_count;
	unsigned in_count;
	uint64_t out_len; /* bytes left in out[]; out_len + in_len is 2^32 at most */
	uint64_t in_len;
	struct iovec *out; /* to the device */
	struct iovec *in;  /* from the device */
	struct iovec segments[VIRTQUEUE_CHAIN_MAX];
};

/*
 * Starts a stopped queue at index 0. features is what was negotiated. -EPROTO and no change: the
 * size is not a power of two or over size_max, or an area is misaligned or not in guest memory.
 */
int virtqueue_start(struct virtqueue *queue, const struct guest_memory *mem,
	const struct virtqueue_config *config, uint64_t features, unsigned size_max);

void virtqueue_stop(struct virtqueue *queue);

static inline bool virtqueue_started(const struct virtqueue *queue)
{
	return queue->desc != NULL;
}

/* Takes the next request of a started queue: 1; 0 when there is none; -EPROTO. *ret_chain is filled on 1. */
int virtqueue_pop(struct virtqueue *queue, const struct guest_memory *mem, struct virtqueue_chain *ret_chain);

/* Puts the chain that was popped last, and not pushed, back into the available ring: the next pop takes it anew. */
void virtqueue_unpop(struct virtqueue *queue);

/* Gives a chain back; written is how many bytes of its in segments the device wrote. */
void virtqueue_push(struct virtqueue *queue, uint16_t head, uint32_t written);

/* Asked once after one or more pushes: does the driver want an interrupt for them? */
bool virtqueue_should_interrupt(struct virtqueue *queue);

/* A hint to the driver that notifications are not needed; it may notify all the same. */
void virtqueue_disable_notify(struct virtqueue *queue);

/*
 * Asks for a notification of the next request. True: one came in before the driver could know, so
 * look again (and nobody will notify).
 */
bool virtqueue_enable_notify(struct virtqueue *queue);

/*
 * Copies the next len bytes of the out segments and consumes them; -EPROTO, and nothing, if fewer
 * are left.
 */
int virtqueue_chain_read(struct virtqueue_chain *chain, void *to, size_t len);

/* Copies up to len bytes into the in segments and consumes them; returns how many. */
size_t virtqueue_chain_write(struct virtqueue_chain *chain, const void *from, size_t len);

/* Cuts the last byte off the in segments and returns where it lies; NULL: there is none. */
uint8_t *virtqueue_chain_take_last(struct virtqueue_chain *chain);
