/* A host whose KVM lacks something: a seccomp filter answers in its place. */
#include <errno.h>
#include <linux/filter.h>
#include <linux/kvm.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "lib/elf_builder.h"
#include "lib/files.h"
#include "lib/guest.h"
#include "vm/suites.h"

#define ANY UINT32_MAX

/* From here on, this process's ioctl() with that request and argument fails with err; 0: it returns 0. */
static void answer_ioctl(unsigned long request, uint32_t argument, int err)
{
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_ioctl, 0, 6),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[1])),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)request, 0, 4),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[2])),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, argument, 1, 0),
		BPF_JUMP(BPF_JMP | BPF_JA, argument == ANY ? 0 : 1, 0, 0),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (uint32_t)err),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	const struct sock_fprog program = {sizeof(filter) / sizeof(filter[0]), filter};

	ck_assert_int_eq(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
	ck_assert_int_eq(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program), 0);
}

/* What KVM lacks, and the ioctl that fails for want of it. */
static const struct {
	int capability;
	unsigned long request;
	const char *name;
} lacks[] = {
	{KVM_CAP_IRQCHIP, KVM_CREATE_IRQCHIP, "IRQCHIP"},
	{KVM_CAP_USER_MEMORY, KVM_SET_USER_MEMORY_REGION, "USER_MEMORY"},
	{KVM_CAP_SET_TSS_ADDR, KVM_SET_TSS_ADDR, "SET_TSS_ADDR"},
	{KVM_CAP_EXT_CPUID, KVM_GET_SUPPORTED_CPUID, "EXT_CPUID"},
	{KVM_CAP_IRQFD, KVM_IRQFD, "IRQFD"},
	{KVM_CAP_IOEVENTFD, KVM_IOEVENTFD, "IOEVENTFD"},
};

START_TEST(what_kvm_lacks_is_named)
{
	static struct guest guest;
	const struct lodge_disk disk = {.size = 1 << 20};
	char want[64];

	answer_ioctl(KVM_CHECK_EXTENSION, (uint32_t)lacks[_i].capability, 0);
	answer_ioctl(lacks[_i].request, ANY, ENOTTY);
	guest_init(&guest, "run=exit 0");
	guest.config.irqchip = LODGE_IRQCHIP_FULL;
	ck_assert_int_eq(guest_run_with_disk(&guest, &disk), 101);
	snprintf(want, sizeof(want), "this host's KVM lacks %s (", lacks[_i].name);
	ck_assert_msg(strstr(guest.error.text, "/dev/kvm: ") == guest.error.text &&
			      strstr(guest.error.text, want) != NULL,
		"%s", guest.error.text);
}
END_TEST

START_TEST(a_step_that_fails_though_kvm_lacks_nothing_tells_its_own_error)
{
	static struct guest guest;

	answer_ioctl(KVM_CREATE_IRQCHIP, ANY, ENOMEM);
	guest_init(&guest, "run=exit 0");
	guest.config.irqchip = LODGE_IRQCHIP_FULL;
	ck_assert_int_eq(guest_run(&guest), 101);
	ck_assert_str_eq(guest.error.text, "interrupt controllers: Cannot allocate memory");
}
END_TEST

START_TEST(where_kvm_cannot_split_its_irqchip_the_full_one_serves)
{
	static struct guest guest;

	answer_ioctl(KVM_ENABLE_CAP, ANY, EINVAL);
	guest_init(&guest, "run=selftest timer;exit 7");
	ck_assert_int_eq(guest_run(&guest), 7);
	guest_init(&guest, "run=exit 7");
	guest.config.irqchip = LODGE_IRQCHIP_SPLIT;
	ck_assert_int_eq(guest_run(&guest), 101);
}
END_TEST

START_TEST(more_cpus_than_kvm_allows_are_refused_with_their_number)
{
	static struct guest guest;

	answer_ioctl(KVM_CHECK_EXTENSION, KVM_CAP_MAX_VCPUS, 0);
	answer_ioctl(KVM_CREATE_VCPU, 1, EINVAL);
	guest_init(&guest, "run=exit 0");
	guest.config.cpus = 2;
	ck_assert_int_eq(guest_run(&guest), 101);
	ck_assert_str_eq(guest.error.text, "2 CPUs: this host's KVM allows 1");
}
END_TEST

/* It takes KVM longer than all else, where lodge is a guest itself. */
START_TEST(a_restart_does_not_ask_for_cpuid_again)
{
	/* mov al,0xfe; out 0x64,al; 1: hlt; jmp 1b */
	static const uint8_t reset[] = {0xb0, 0xfe, 0xe6, 0x64, 0xf4, 0xeb, 0xfd};
	static struct guest guest;
	struct lodge_vm *vm;

	elf_write_pvh("reset.elf", reset, sizeof(reset));
	guest_init(&guest, NULL);
	guest.config.kernel = "reset.elf";
	guest.config.restart = true;
	guest.config.timeout_ms = 1000;
	ck_assert_int_eq(lodge_vm_new(&guest.config, &vm, &guest.error), 0);
	answer_ioctl(KVM_GET_SUPPORTED_CPUID, ANY, ENOTTY);
	lodge_vm_run(vm, &guest.result);
	lodge_vm_free(vm);
	ck_assert_msg(guest.result.outcome == LODGE_TIMEOUT, "%s", guest.result.message);
	ck_assert_uint_ge(guest.result.restarts, 1);
}
END_TEST

Suite *host_suite(void)
{
	Suite *suite = suite_create("host");
	TCase *tcase = tcase_create("lacks");

	suite_add_tcase(suite, tcase);
	tcase_add_checked_fixture(tcase, files_setup, files_teardown);
	tcase_add_loop_test(tcase, what_kvm_lacks_is_named, 0, sizeof(lacks) / sizeof(lacks[0]));
	tcase_add_test(tcase, a_step_that_fails_though_kvm_lacks_nothing_tells_its_own_error);
	tcase_add_test(tcase, where_kvm_cannot_split_its_irqchip_the_full_one_serves);
	tcase_add_test(tcase, a_restart_does_not_ask_for_cpuid_again);
	tcase_add_test(tcase, more_cpus_than_kvm_allows_are_refused_with_their_number);
	return suite;
}
