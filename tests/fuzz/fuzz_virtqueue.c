/* A virtqueue alone: the input is where it lies, what a device asks of it, and the bytes of guest memory. */
#include "fuzz.h"

#include <errno.h>
#include <linux/virtio_ring.h>
#include <string.h>

#include "util/bytes.h"
#include "virtio/virtqueue.h"

#define STEPS_MAX 64

static uint64_t sum(const struct iovec *iov, unsigned count)
{
	uint64_t total = 0;

	for (unsigned i = 0; i < count; i++) {
		FUZZ_CHECK(iov[i].iov_len > 0);
		FUZZ_CHECK(fuzz_memory_has(iov[i].iov_base, iov[i].iov_len));
		total += iov[i].iov_len;
	}
	return total;
}

/* Holds for a chain that was popped, however much of it was consumed. */
static void check_chain(const struct virtqueue_chain *chain)
{
	FUZZ_CHECK(chain->out_count + chain->in_count <= VIRTQUEUE_CHAIN_MAX);
	FUZZ_CHECK(sum(chain->out, chain->out_count) == chain->out_len);
	FUZZ_CHECK(sum(chain->in, chain->in_count) == chain->in_len);
	FUZZ_CHECK(chain->out_len + chain->in_len <= GIB(4));
}

/* What a device does with a request, in any order. */
static void use_chain(struct fuzz_input *input, struct virtqueue_chain *chain)
{
	static uint8_t bytes[KIB(8)];

	check_chain(chain);
	for (uint8_t kind = fuzz_byte(input); kind & 3; kind = fuzz_byte(input)) {
		uint64_t out = chain->out_len, in = chain->in_len;
		size_t len = fuzz_below(input, sizeof(bytes) + 1);

		if ((kind & 3) == 1) {
			int r = virtqueue_chain_read(chain, bytes, len);

			FUZZ_CHECK(r == (len > out ? -EPROTO : 0));
			FUZZ_CHECK(chain->out_len == (r ? out : out - len) && chain->in_len == in);
		} else if ((kind & 3) == 2) {
			FUZZ_CHECK(virtqueue_chain_write(chain, bytes, len) == MIN(len, in));
			FUZZ_CHECK(chain->in_len == in - MIN(len, in) && chain->out_len == out);
		} else {
			const uint8_t *last = virtqueue_chain_take_last(chain);

			FUZZ_CHECK(in ? fuzz_memory_has(last, 1) : !last);
			FUZZ_CHECK(chain->in_len == in - (last != NULL) && chain->out_len == out);
		}
		check_chain(chain);
	}
}

static void step(struct fuzz_input *input, struct virtqueue *queue, const struct guest_memory *mem)
{
	static struct virtqueue_chain chain;
	struct virtqueue_state before = queue->state;
	uint8_t kind = fuzz_byte(input);
	uint16_t waiting;
	uint64_t value;
	gpa_t gpa;
	int r;

	switch (kind & 7) {
	case 0:
	case 1:
	case 2:
		waiting = (uint16_t)(queue->avail->idx - before.next_avail);
		r = virtqueue_pop(queue, mem, &chain);
		FUZZ_CHECK(r == 1 || r == 0 || r == -EPROTO);
		FUZZ_CHECK(waiting ? r && (r < 0 || waiting <= queue->size) : !r);
		FUZZ_CHECK(queue->state.next_avail == (uint16_t)(before.next_avail + (r == 1)));
		if (r < 1)
			break;
		use_chain(input, &chain);
		if (kind & 0x80)
			virtqueue_unpop(queue);
		else
			virtqueue_push(queue, chain.head, (uint32_t)fuzz_bytes(input, kind >> 4 & 3));
		break;
	case 3:
		virtqueue_disable_notify(queue);
		break;
	case 4:
		virtqueue_enable_notify(queue);
		break;
	case 5:
		virtqueue_should_interrupt(queue);
		FUZZ_CHECK(!virtqueue_should_interrupt(queue));
		break;
	default: /* the guest goes on meanwhile */
		gpa = fuzz_gpa(input);
		value = fuzz_number(input);
		guest_memory_write(mem, gpa, &value, 1u << (kind >> 4 & 3));
		break;
	}
}

/* The rest of the input, from an address of its own on. */
static void fill(struct fuzz_input *input, const struct guest_memory *mem)
{
	while (input->left) {
		gpa_t gpa = fuzz_gpa(input);
		size_t len = fuzz_byte(input);

		len = MIN(len, input->left);
		guest_memory_write(mem, gpa, input->at, len);
		input->at += len;
		input->left -= len;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t head = MIN(size, 2 * STEPS_MAX);
	struct fuzz_input input = {.at = data, .left = head}, rest = {.at = data + head, .left = size - head};
	const struct guest_memory *mem = fuzz_memory();
	uint8_t kind = fuzz_byte(&input);
	struct virtqueue_config config = {
		.desc = 0, .avail = 0x2000, .used = 0x4000, .size = 1u << (kind & 7)};
	uint64_t features = (uint64_t)(kind >> 3 & 3) << VIRTIO_RING_F_INDIRECT_DESC;
	struct virtqueue queue = {0};

	if (kind & 0x20)
		config.size = (uint32_t)fuzz_number(&input);
	if (kind & 0x40)
		config.desc = fuzz_gpa(&input);
	if (kind & 0x80) {
		config.avail = fuzz_gpa(&input);
		config.used = fuzz_gpa(&input);
	}
	fill(&rest, mem);
	if (virtqueue_start(&queue, mem, &config, features, VIRTQUEUE_SIZE_MAX)) {
		FUZZ_CHECK(!virtqueue_started(&queue));
		return 0;
	}
	FUZZ_CHECK(fuzz_memory_has(queue.desc, 16 * (uint64_t)config.size));
	FUZZ_CHECK(fuzz_memory_has(queue.avail, 6 + 2 * (uint64_t)config.size));
	FUZZ_CHECK(fuzz_memory_has(queue.used, 6 + 8 * (uint64_t)config.size));
	for (unsigned i = 0; i < STEPS_MAX && input.left; i++)
		step(&input, &queue, mem);
	virtqueue_stop(&queue);
	return 0;
}
