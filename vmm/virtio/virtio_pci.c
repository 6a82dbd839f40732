#include "virtio/virtio_pci.h"

#include <linux/pci_regs.h>
#include <linux/virtio_pci.h>

#include "util/bytes.h"

/* 4.1.2: modern devices' IDs. */
#define VENDOR      0x1af4
#define DEVICE_BASE 0x1040
#define SUBSYSTEM   0x1100 /* 4.1.2.1: from 0x40 up, so that no legacy driver takes it for its own */
#define REVISION    1

/* BAR 0. A driver learns it from the capabilities. */
enum {
	COMMON = 0x0000,
	ISR = 0x0100,
	DEVICE = 0x0200,
	TABLE = 0x2000,
	PENDING = 0x3000,
	END = VIRTIO_PCI_BAR_SIZE
};
#define COMMON_SIZE sizeof(struct virtio_pci_common_cfg)
#define DEVICE_SIZE 0x100u
#define BAR         0

static_assert(DEVICE + DEVICE_SIZE <= VIRTIO_PCI_DOORBELL && VIRTIO_PCI_DOORBELL < TABLE, "BAR 0's parts");
static_assert(TABLE + MSIX_VECTORS_MAX * MSIX_ENTRY_SIZE <= PENDING, "the table fits");
static_assert(VIRTIO_QUEUES_MAX + 1 <= MSIX_VECTORS_MAX, "a vector a queue, and one for the configuration");

#define ISR_QUEUE  1u
#define ISR_CONFIG 2u

/* Called with the transport's lock held, as the next two. */
static void interrupt_used(void *ctx, uint64_t queues)
{
	struct virtio_pci *pci = ctx;

	atomic_fetch_or(&pci->isr, ISR_QUEUE);
	for (unsigned i = 0; queues; i++, queues >>= 1)
		if (queues & 1)
			msix_send(&pci->msix, pci->queue_vectors[i]);
}

static void interrupt_config(void *ctx)
{
	struct virtio_pci *pci = ctx;

	atomic_fetch_or(&pci->isr, ISR_CONFIG);
	msix_send(&pci->msix, pci->config_vector);
}

static void forget_vectors(struct virtio_pci *pci)
{
	pci->config_vector = VIRTIO_MSI_NO_VECTOR;
	for (unsigned i = 0; i < VIRTIO_QUEUES_MAX; i++)
		pci->queue_vectors[i] = VIRTIO_MSI_NO_VECTOR;
	atomic_store(&pci->isr, 0);
}

/* 4.1.3.1: drivers access fields by their width, and the halves of addresses by 32 bits; other accesses read 0. */
static unsigned width_of(uint64_t offset)
{
	if (offset == VIRTIO_PCI_COMMON_STATUS || offset == VIRTIO_PCI_COMMON_CFGGENERATION)
		return 1;
	if (offset >= VIRTIO_PCI_COMMON_MSIX && offset < VIRTIO_PCI_COMMON_Q_DESCLO)
		return offset % 2 ? 0 : 2;
	return offset % 4 ? 0 : 4;
}

static uint64_t read_queue(const struct virtio_pci *pci, uint64_t offset)
{
	const struct virtio_transport *transport = &pci->transport;
	const struct virtio_transport_queue *queue = virtio_transport_selected(transport);

	if (!queue)
		return 0; /* of a size of 0: it is not there (4.1.4.3.1) */
	switch (offset) {
	case VIRTIO_PCI_COMMON_Q_SIZE:
		return queue->config.size ?: transport->config.ops->queue_size_max;
	case VIRTIO_PCI_COMMON_Q_MSIX:
		return pci->queue_vectors[transport->state.queue_sel];
	case VIRTIO_PCI_COMMON_Q_ENABLE:
		return virtqueue_started(&queue->queue);
	case VIRTIO_PCI_COMMON_Q_DESCLO:
		return queue->config.desc;
	case VIRTIO_PCI_COMMON_Q_DESCHI:
		return queue->config.desc >> 32;
	case VIRTIO_PCI_COMMON_Q_AVAILLO:
		return queue->config.avail;
	case VIRTIO_PCI_COMMON_Q_AVAILHI:
		return queue->config.avail >> 32;
	case VIRTIO_PCI_COMMON_Q_USEDLO:
		return queue->config.used;
	case VIRTIO_PCI_COMMON_Q_USEDHI:
		return queue->config.used >> 32;
	default:
		return 0; /* queue_notify_off too: they have one doorbell */
	}
}

static uint64_t read_common(const struct virtio_pci *pci, uint64_t offset)
{
	const struct virtio_transport *transport = &pci->transport;
	const struct virtio_transport_state *state = &transport->state;
	uint32_t word = state->driver_features_sel;

	switch (offset) {
	case VIRTIO_PCI_COMMON_DFSELECT:
		return state->device_features_sel;
	case VIRTIO_PCI_COMMON_DF:
		return virtio_transport_features(transport);
	case VIRTIO_PCI_COMMON_GFSELECT:
		return word;
	case VIRTIO_PCI_COMMON_GF:
		return word < 2 ? state->driver_features >> (32 * word) : 0;
	case VIRTIO_PCI_COMMON_MSIX:
		return pci->config_vector;
	case VIRTIO_PCI_COMMON_NUMQ:
		return transport->config.queue_count;
	case VIRTIO_PCI_COMMON_STATUS:
		return state->status;
	case VIRTIO_PCI_COMMON_CFGGENERATION:
		return 0; /* no device changes its own */
	case VIRTIO_PCI_COMMON_Q_SELECT:
		return state->queue_sel;
	default:
		return read_queue(pci, offset);
	}
}

/* 4.1.5.1.2: what cannot be had reads back as no vector. */
static uint16_t vector_of(const struct virtio_pci *pci, uint64_t value)
{
	return value < pci->msix.count ? (uint16_t)value : VIRTIO_MSI_NO_VECTOR;
}

static void enable_queue(struct virtio_pci *pci)
{
	struct virtqueue_config *config = virtio_transport_queue_config(&pci->transport);

	/* A driver need not choose a size. */
	if (config && !config->size)
		config->size = pci->transport.config.ops->queue_size_max;
	virtio_transport_enable_queue(&pci->transport, true);
}

static void write_queue(struct virtio_pci *pci, uint64_t offset, uint32_t value)
{
	struct virtqueue_config *config = virtio_transport_queue_config(&pci->transport);

	if (!config)
		return;
	switch (offset) {
	case VIRTIO_PCI_COMMON_Q_SIZE:
		config->size = value;
		break;
	case VIRTIO_PCI_COMMON_Q_DESCLO:
	case VIRTIO_PCI_COMMON_Q_DESCHI:
		virtio_set_half(&config->desc, offset == VIRTIO_PCI_COMMON_Q_DESCHI, value);
		break;
	case VIRTIO_PCI_COMMON_Q_AVAILLO:
	case VIRTIO_PCI_COMMON_Q_AVAILHI:
		virtio_set_half(&config->avail, offset == VIRTIO_PCI_COMMON_Q_AVAILHI, value);
		break;
	case VIRTIO_PCI_COMMON_Q_USEDLO:
	case VIRTIO_PCI_COMMON_Q_USEDHI:
		virtio_set_half(&config->used, offset == VIRTIO_PCI_COMMON_Q_USEDHI, value);
		break;
	}
}

static void write_common(struct virtio_pci *pci, uint64_t offset, uint32_t value)
{
	struct virtio_transport *transport = &pci->transport;

	switch (offset) {
	case VIRTIO_PCI_COMMON_DFSELECT:
		transport->state.device_features_sel = value;
		break;
	case VIRTIO_PCI_COMMON_GFSELECT:
		transport->state.driver_features_sel = value;
		break;
	case VIRTIO_PCI_COMMON_GF:
		virtio_transport_take_features(transport, value);
		break;
	case VIRTIO_PCI_COMMON_MSIX:
		pci->config_vector = vector_of(pci, value);
		break;
	case VIRTIO_PCI_COMMON_STATUS:
		virtio_transport_set_status(transport, value);
		if (value == 0)
			forget_vectors(pci);
		break;
	case VIRTIO_PCI_COMMON_Q_SELECT:
		transport->state.queue_sel = value;
		break;
	case VIRTIO_PCI_COMMON_Q_MSIX:
		if (virtio_transport_selected(transport))
			pci->queue_vectors[transport->state.queue_sel] = vector_of(pci, value);
		break;
	case VIRTIO_PCI_COMMON_Q_ENABLE:
		if (value == 1) /* 4.1.4.3.2: drivers do not write 0, but reset the device */
			enable_queue(pci);
		break;
	default:
		write_queue(pci, offset, value);
	}
}

static uint64_t read_locked(struct virtio_pci *pci, uint64_t offset, unsigned size)
{
	struct virtio_transport *transport = &pci->transport;
	uint64_t value = 0;

	virtio_transport_enter(transport);
	if (offset >= DEVICE)
		value = transport->config.ops->config_read(transport->config.dev, offset - DEVICE, size);
	else if (width_of(offset) == size)
		value = read_common(pci, offset);
	virtio_transport_leave(transport);
	return value;
}

static uint64_t read_registers(struct virtio_pci *pci, uint64_t offset, unsigned size)
{
	if (offset >= PENDING)
		return msix_pending_read(&pci->msix, offset - PENDING, size);
	if (offset >= TABLE)
		return msix_table_read(&pci->msix, offset - TABLE, size);
	if (offset == ISR && size == 1)
		return atomic_exchange(&pci->isr, 0); /* 4.1.4.5: a read takes the bits back */
	if (offset + size <= COMMON_SIZE || (offset >= DEVICE && offset + size <= DEVICE + DEVICE_SIZE))
		return read_locked(pci, offset, size);
	return 0;
}

static void write_locked(struct virtio_pci *pci, uint64_t offset, unsigned size, uint64_t value)
{
	struct virtio_transport *transport = &pci->transport;

	virtio_transport_enter(transport);
	if (offset >= DEVICE)
		transport->config.ops->config_write(transport->config.dev, offset - DEVICE, size, value);
	else if (width_of(offset) == size)
		write_common(pci, offset, (uint32_t)value);
	virtio_transport_leave(transport);
}

static void write_registers(struct virtio_pci *pci, uint64_t offset, unsigned size, uint64_t value)
{
	if (offset == VIRTIO_PCI_DOORBELL)
		virtio_transport_notify(&pci->transport, (uint16_t)value);
	else if (offset >= TABLE && offset < PENDING)
		msix_table_write(&pci->msix, offset - TABLE, size, value);
	else if (offset + size <= COMMON_SIZE || (offset >= DEVICE && offset + size <= DEVICE + DEVICE_SIZE))
		write_locked(pci, offset, size, value);
}

static uint64_t bar_read(void *dev, uint64_t offset, unsigned size)
{
	struct virtio_pci *pci = dev;

	return atomic_load(&pci->decodes) ? read_registers(pci, offset, size) : UINT64_MAX;
}

static void bar_write(void *dev, uint64_t offset, unsigned size, uint64_t value)
{
	struct virtio_pci *pci = dev;

	if (atomic_load(&pci->decodes))
		write_registers(pci, offset, size, value);
}

const struct bus_ops virtio_pci_bus_ops = {
	.read = bar_read,
	.write = bar_write,
	.sizes = 1 | 2 | 4 | 8,
};

/* 4.1.4.9: whoever cannot reach the BAR, which need not even decode, names a place in it, and reads or writes it here. */
static bool access_window(const struct virtio_pci *pci, unsigned offset, uint32_t *ret_at, uint32_t *ret_size)
{
	const uint8_t *cap = pci->function.space + pci->access_at;

	*ret_at = (uint32_t)load_le(cap + VIRTIO_PCI_CAP_OFFSET, 4);
	*ret_size = (uint32_t)load_le(cap + VIRTIO_PCI_CAP_LENGTH, 4);
	return offset == pci->access_at + sizeof(struct virtio_pci_cap) && cap[VIRTIO_PCI_CAP_BAR] == BAR &&
	       (*ret_size == 1 || *ret_size == 2 || *ret_size == 4) && *ret_at % *ret_size == 0 &&
	       range_inside(*ret_at, *ret_size, 0, END);
}

static void config_reading(void *dev, unsigned offset, unsigned size)
{
	struct virtio_pci *pci = dev;
	uint32_t at, length;

	(void)size;
	if (access_window(pci, offset, &at, &length))
		store_le(pci->function.space + offset, read_registers(pci, at, length), length);
}

static void config_written(void *dev, unsigned offset, unsigned size)
{
	struct virtio_pci *pci = dev;
	uint16_t flags = (uint16_t)load_le(pci->function.space + pci->msix_at + PCI_MSIX_FLAGS, 2);
	uint32_t at, length;

	(void)size;
	atomic_store(&pci->decodes, pci_function_decodes(&pci->function, pci->base));
	msix_control(&pci->msix, flags & PCI_MSIX_FLAGS_ENABLE, flags & PCI_MSIX_FLAGS_MASKALL);
	if (access_window(pci, offset, &at, &length))
		write_registers(pci, at, length, load_le(pci->function.space + offset, length));
}

static const struct pci_function_ops function_ops = {.reading = config_reading, .written = config_written};

static unsigned add_part(
	struct virtio_pci *pci, uint8_t type, uint32_t offset, uint32_t length, unsigned more)
{
	struct {
		struct virtio_pci_cap cap;
		uint32_t
			rest; /* a multiplier of 0: all queues have one doorbell (4.1.4.4); or the access window */
	} part = {.cap = {.cap_len = (uint8_t)(sizeof(part.cap) + more),
			  .cfg_type = type,
			  .bar = BAR,
			  .offset = offset,
			  .length = length}};

	return pci_function_add_capability(
		&pci->function, PCI_CAP_ID_VNDR, &part.cap.cap_len, part.cap.cap_len);
}

static void add_capabilities(struct virtio_pci *pci)
{
	struct {
		uint16_t flags;
		uint32_t table, pending;
	} __attribute__((packed))
	msix = {.flags = (uint16_t)(pci->msix.count - 1), .table = TABLE | BAR, .pending = PENDING | BAR};

	pci->msix_at = pci_function_add_capability(
		&pci->function, PCI_CAP_ID_MSIX, &msix, PCI_CAP_FLAGS + sizeof(msix));
	pci_function_allow(&pci->function, pci->msix_at + PCI_MSIX_FLAGS,
		PCI_MSIX_FLAGS_ENABLE | PCI_MSIX_FLAGS_MASKALL, 2);
	add_part(pci, VIRTIO_PCI_CAP_COMMON_CFG, COMMON, COMMON_SIZE, 0);
	add_part(pci, VIRTIO_PCI_CAP_ISR_CFG, ISR, 1, 0);
	add_part(pci, VIRTIO_PCI_CAP_DEVICE_CFG, DEVICE, DEVICE_SIZE, 0);
	add_part(pci, VIRTIO_PCI_CAP_NOTIFY_CFG, VIRTIO_PCI_DOORBELL, 2, 4);
	pci->access_at = add_part(pci, VIRTIO_PCI_CAP_PCI_CFG, 0, 0, 4);
	pci_function_allow(&pci->function, pci->access_at + VIRTIO_PCI_CAP_BAR, 0xff, 1);
	pci_function_allow(&pci->function, pci->access_at + VIRTIO_PCI_CAP_OFFSET, UINT64_MAX, 8);
	pci_function_allow(&pci->function, pci->access_at + sizeof(struct virtio_pci_cap), UINT32_MAX, 4);
}

int virtio_pci_init(struct virtio_pci *pci, const struct virtio_transport_config *config, uint32_t base,
	uint32_t class_code, const struct msi_handle *msi)
{
	const struct pci_function_id id = {.vendor = VENDOR,
		.device = (uint16_t)(DEVICE_BASE + config->ops->device_id),
		.subsystem_vendor = VENDOR,
		.subsystem = SUBSYSTEM,
		.class_code = class_code,
		.revision = REVISION};
	struct virtio_transport_config with_messages = *config;
	int err;

	memset(pci, 0, sizeof(*pci));
	with_messages.interrupts =
		(struct virtio_interrupts){.used = interrupt_used, .config = interrupt_config, .ctx = pci};
	err = virtio_transport_init(&pci->transport, &with_messages);
	if (err)
		return err;
	msix_init(&pci->msix, config->queue_count + 1, msi);
	pci->base = base;
	pci_function_init(&pci->function, &id, &function_ops, pci);
	pci_function_set_bar(&pci->function, base, VIRTIO_PCI_BAR_SIZE);
	add_capabilities(pci);
	atomic_store(&pci->decodes, true);
	forget_vectors(pci);
	return 0;
}

void virtio_pci_fini(struct virtio_pci *pci)
{
	if (pci->msix.count)
		msix_fini(&pci->msix);
	virtio_transport_fini(&pci->transport);
	pci->msix.count = 0;
}
