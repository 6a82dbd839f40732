#include "bus/pci_host.h"

#include "util/bytes.h"

#define WINDOW 4u /* behind the register */

/* The address register. */
#define ENABLE           0x80000000u
#define BUS_AND_FN       0x00ffff00u
#define DEVICE_SHIFT     11
#define DEVICE_MASK      0x1f
#define REGISTER         0xfcu
#define ADDRESS_WRITABLE (ENABLE | BUS_AND_FN | REGISTER)

#define CLASS_HOST_BRIDGE 0x060000

/* NULL: nobody is there, and what is read floats. */
static struct pci_function *selected(struct pci_host *host, uint32_t address)
{
	uint32_t device = address >> DEVICE_SHIFT & DEVICE_MASK;

	/* Bus 0, function 0. */
	if ((address & (ENABLE | BUS_AND_FN)) != (ENABLE | device << DEVICE_SHIFT))
		return NULL;
	return host->functions[device];
}

/* Four bytes from elsewhere are two accesses, none of 32 bits, where ports are 32 bits wide. */
static bool is_register(uint64_t offset, unsigned size)
{
	return offset == 0 && size == 4;
}

static uint64_t host_read(void *dev, uint64_t offset, unsigned size)
{
	struct pci_host *host = dev;
	uint32_t address = atomic_load(&host->address);
	struct pci_function *function = selected(host, address);
	uint64_t value = UINT64_MAX;

	if (offset < WINDOW)
		return is_register(offset, size) ? address : value; /* others pass by the bridge */
	if (!function)
		return value;
	pthread_mutex_lock(&host->lock);
	value = pci_function_read(function, (address & REGISTER) + (unsigned)(offset - WINDOW), size);
	pthread_mutex_unlock(&host->lock);
	return value;
}

static void host_write(void *dev, uint64_t offset, unsigned size, uint64_t value)
{
	struct pci_host *host = dev;
	uint32_t address = atomic_load(&host->address);
	struct pci_function *function = selected(host, address);

	if (offset < WINDOW) {
		if (is_register(offset, size))
			atomic_store(&host->address, (uint32_t)value & ADDRESS_WRITABLE);
		return;
	}
	if (!function)
		return;
	pthread_mutex_lock(&host->lock);
	pci_function_write(function, (address & REGISTER) + (unsigned)(offset - WINDOW), size, value);
	pthread_mutex_unlock(&host->lock);
}

const struct bus_ops pci_host_ops = {
	.read = host_read,
	.write = host_write,
	.sizes = 1 | 2 | 4,
	.shares = true, /* what is no access of 32 bits to the register passes by */
};

void pci_host_init(struct pci_host *host)
{
	/* The one that other VMMs of this kind have: no kernel has a quirk for it. */
	const struct pci_function_id id = {
		.vendor = 0x8086, .device = 0x0d57, .class_code = CLASS_HOST_BRIDGE};

	memset(host, 0, sizeof(*host));
	pthread_mutex_init(&host->lock, NULL);
	pci_function_init(&host->bridge, &id, NULL, NULL);
	host->functions[0] = &host->bridge;
}

void pci_host_fini(struct pci_host *host)
{
	if (host->functions[0])
		pthread_mutex_destroy(&host->lock);
	host->functions[0] = NULL;
}

void pci_host_add(struct pci_host *host, unsigned device, struct pci_function *function)
{
	host->functions[device] = function;
}
