/* The blk command. */
#include "commands.h"
#include "console.h"
#include "dump.h"
#include "hw.h"
#include "pattern.h"
#include "pci.h"
#include "str.h"
#include "virtio_blk.h"

#define CHUNK_SECTORS  (DISK_CHUNK / SECTOR_SIZE)
#define RECORD_SECTORS 2
#define FLUSH_EVERY    3

static uint8_t buffer[DISK_CHUNK] __attribute__((aligned(4096)));

/* What follows "blk VERB DISK": numbers, in the order the usage line names them. */
struct blk_args {
	struct disk *disk;
	uint64_t index;
	uint64_t sector;
	uint64_t count;
	uint64_t seed;
	const char *text;
};

static int report(const struct blk_args *a, const char *what, uint64_t sector, int status)
{
	if (status == BLK_S_OK)
		return 0;
	print("blk: disk %lu: %s at sector %lu: %s\n", a->index, what, sector, disk_status_name(status));
	return 1;
}

static void print_disk(unsigned index, const struct disk *disk)
{
	const struct hw_device *h = disk->device.hw;

	print("disk %u: %s", index, h->name);
	if (h->pci != 0)
		print(" 00:%02x.0, %s", pci_device_number(h->pci), disk->device.has_irq ? "msi-x" : "no irq");
	else
		print(", irq %d %s", h->irq, h->irq_level ? "level" : "edge");
	print(", virtio %s, %lu sectors, %lu KiB, %s", disk->device.version == 1 ? "legacy" : "1",
		disk->config.capacity, disk->config.capacity / 2,
		disk_has(disk, BLK_F_RO) ? "read-only" : "read-write");
	print("%s%s%s%s%s\n", disk_has(disk, BLK_F_FLUSH) ? ", flush" : "",
		disk_has(disk, BLK_F_DISCARD) ? ", discard" : "",
		disk_has(disk, BLK_F_WRITE_ZEROES) ? ", write-zeroes" : "",
		disk_has(disk, VIRTIO_F_INDIRECT_DESC) ? ", indirect" : "",
		disk_has(disk, VIRTIO_F_EVENT_IDX) ? ", event-idx" : "");
}

static int blk_list(void)
{
	struct disk *disk;

	if (disk_get(0) == NULL)
		print("no disks\n");
	for (unsigned i = 0; (disk = disk_get(i)) != NULL; i++)
		print_disk(i, disk);
	return 0;
}

static int blk_read(const struct blk_args *a)
{
	for (uint64_t i = 0; i < a->count; i++) {
		uint64_t sector = a->sector + i;
		int status = disk_request(a->disk, BLK_T_IN, sector, buffer, SECTOR_SIZE, 0);

		if (status != BLK_S_OK)
			return report(a, "read", sector, status);
		dump_bytes(sector * SECTOR_SIZE, buffer, SECTOR_SIZE);
	}
	return 0;
}

static int blk_write(const struct blk_args *a)
{
	size_t len = strlen(a->text);

	memset(buffer, 0, SECTOR_SIZE);
	memcpy(buffer, a->text, len < SECTOR_SIZE ? len : SECTOR_SIZE);
	return report(
		a, "write", a->sector, disk_request(a->disk, BLK_T_OUT, a->sector, buffer, SECTOR_SIZE, 0));
}

static int blk_fill(const struct blk_args *a)
{
	for (uint64_t at = 0; at < a->count;) {
		uint64_t rest = a->count - at;
		uint32_t n = rest < CHUNK_SECTORS ? (uint32_t)rest : CHUNK_SECTORS;

		pattern_fill(buffer, a->sector + at, n, a->seed);
		int status = disk_request(a->disk, BLK_T_OUT, a->sector + at, buffer, n * SECTOR_SIZE, 0);

		if (status != BLK_S_OK)
			return report(a, "write", a->sector + at, status);
		at += n;
	}
	return 0;
}

static int blk_verify(const struct blk_args *a)
{
	for (uint64_t at = 0; at < a->count;) {
		uint64_t rest = a->count - at;
		uint32_t n = rest < CHUNK_SECTORS ? (uint32_t)rest : CHUNK_SECTORS;
		int status = disk_request(a->disk, BLK_T_IN, a->sector + at, buffer, n * SECTOR_SIZE, 0);

		if (status != BLK_S_OK)
			return report(a, "read", a->sector + at, status);
		uint32_t good = pattern_check(buffer, a->sector + at, n, a->seed);

		if (good != n) {
			print("blk: disk %lu: sector %lu is wrong\n", a->index, a->sector + at + good);
			return 1;
		}
		at += n;
	}
	print("blk: disk %lu: %lu sectors from %lu are right\n", a->index, a->count, a->sector);
	return 0;
}

static int blk_flush(const struct blk_args *a)
{
	return report(a, "flush", 0, disk_request(a->disk, BLK_T_FLUSH, 0, NULL, 0, 0));
}

static int blk_id(const struct blk_args *a)
{
	char id[DISK_ID_SIZE + 1] = "";
	int status = disk_request(a->disk, BLK_T_GET_ID, 0, id, DISK_ID_SIZE, 0);

	if (status == BLK_S_OK)
		print("%s\n", id);
	return report(a, "get-id", 0, status);
}

static int blk_discard(const struct blk_args *a)
{
	return report(a, "discard", a->sector,
		disk_range_request(a->disk, BLK_T_DISCARD, a->sector, (uint32_t)a->count, 0));
}

static int blk_zero(const struct blk_args *a)
{
	return report(a, "write-zeroes", a->sector,
		disk_range_request(a->disk, BLK_T_WRITE_ZEROES, a->sector, (uint32_t)a->count, 0));
}

/* For a host that kills the machine meanwhile and looks what is left: what was flushed has to be there. */
static int blk_log(const struct blk_args *a)
{
	if (a->count == 0) {
		print("blk: a log has a place or more\n");
		return 1;
	}
	for (uint64_t record = 1; record <= a->seed; record++) {
		uint64_t sector = a->sector + (record - 1) % a->count * RECORD_SECTORS;
		int status;

		pattern_fill(buffer, sector, RECORD_SECTORS, record);
		status = disk_request(a->disk, BLK_T_OUT, sector, buffer, RECORD_SECTORS * SECTOR_SIZE, 0);
		if (status != BLK_S_OK)
			return report(a, "write", sector, status);
		if (record % FLUSH_EVERY != 0 && record != a->seed)
			continue;
		status = disk_request(a->disk, BLK_T_FLUSH, 0, NULL, 0, 0);
		if (status != BLK_S_OK)
			return report(a, "flush", 0, status);
		print("flushed %lu\n", record);
	}
	return 0;
}

static const struct verb {
	const char *name;
	int (*run)(const struct blk_args *a);
	const char *args; /* D disk, S sector, C count, c count (1 if left out), K seed, T text */
	const char *usage;
} verbs[] = {
	{"read", blk_read, "DSc", "DISK SECTOR [COUNT]        hex dump"},
	{"write", blk_write, "DST", "DISK SECTOR TEXT           one sector: TEXT, then zeroes"},
	{"fill", blk_fill, "DSCK", "DISK SECTOR COUNT SEED     the pattern below"},
	{"verify", blk_verify, "DSCK", "DISK SECTOR COUNT SEED     names the first wrong sector"},
	{"flush", blk_flush, "D", "DISK"},
	{"id", blk_id, "D", "DISK                       its serial number"},
	{"discard", blk_discard, "DSC", "DISK SECTOR COUNT"},
	{"zero", blk_zero, "DSC", "DISK SECTOR COUNT          write zeroes"},
	{"log", blk_log, "DSCK", "DISK SECTOR PLACES RECORDS flushes each third, and says so"},
};

static int usage(void)
{
	print("usage:\n  blk list\n");
	for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++)
		print("  blk %-8s %s\n", verbs[i].name, verbs[i].usage);
	print("pattern: 64-bit little-endian words; word i (0..63) of sector s with seed k is\n"
	      "         k * 0x9e3779b97f4a7c15 + s * 64 + i, modulo 2^64\n"
	      "log:     2 sectors a record, record r with seed r, in PLACES places in turn\n");
	return 1;
}

static uint64_t *arg_slot(struct blk_args *a, char kind)
{
	switch (kind) {
	case 'D':
		return &a->index;
	case 'S':
		return &a->sector;
	case 'K':
		return &a->seed;
	default:
		return &a->count;
	}
}

/* TEXT is the rest of the line: the words are put together again, one space between. */
static const char *join(int argc, char **argv)
{
	static char text[SECTOR_SIZE + 1];
	size_t len = 0;

	for (int i = 0; i < argc; i++) {
		for (const char *c = argv[i]; *c != '\0' && len < SECTOR_SIZE; c++)
			text[len++] = *c;
		if (i + 1 < argc && len < SECTOR_SIZE)
			text[len++] = ' ';
	}
	text[len] = '\0';
	return text;
}

static bool parse(const struct verb *verb, int argc, char **argv, struct blk_args *ret_args)
{
	struct blk_args a = {.count = 1};
	int at = 0;

	for (const char *kind = verb->args; *kind != '\0'; kind++) {
		if (at >= argc && *kind == 'c')
			break;
		if (at >= argc)
			return false;
		if (*kind == 'T') {
			a.text = join(argc - at, argv + at);
			at = argc;
		} else if (!str_to_u64(argv[at++], arg_slot(&a, *kind))) {
			return false;
		}
	}
	if (at != argc || a.count > UINT32_MAX)
		return false;
	*ret_args = a;
	return true;
}

int command_blk(int argc, char **argv)
{
	struct blk_args args;

	if (argc == 2 && strcmp(argv[1], "list") == 0)
		return blk_list();
	for (size_t i = 0; argc > 1 && i < sizeof(verbs) / sizeof(verbs[0]); i++) {
		if (strcmp(verbs[i].name, argv[1]) != 0)
			continue;
		if (!parse(&verbs[i], argc - 2, argv + 2, &args))
			return usage();
		args.disk = args.index <= UINT32_MAX ? disk_get((unsigned)args.index) : NULL;
		if (args.disk == NULL) {
			print("blk: disk %lu: there is none\n", args.index);
			return 1;
		}
		return verbs[i].run(&args);
	}
	return usage();
}
