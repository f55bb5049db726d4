/*
 * A runtime for -Zsanitizer=thread that looks for nothing and waits instead.
 *
 * The compiler puts a call at each atomic operation of every crate but std. The thread sanitizer's
 * own runtime watches for races there; this one takes some of the places, other ones for each
 * DELAY_SEED, and holds threads that come by for 0.05 to 3 ms. So what the code or a test takes for
 * granted about how fast another thread is breaks within a few seeds, and not once in a thousand
 * runs on a loaded machine. How to use it: docs/ARCHITECTURE.md, "With delays".
 */
#include <errno.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;

/* Of so many places one is slow. */
#define PLACES 8
#define TABLE 4096
/* A place is told apart by so many of its callers. */
#define CALLERS 6
#define DEPTH 1024

static u64 seed;
static __thread u64 state;
/* Which function called which; it goes on at the bottom when it is full. */
static __thread void *calls[DEPTH];
static __thread u32 depth;
static _Atomic u32 visits[TABLE];

static u64 mixed(u64 value)
{
	value ^= value >> 33;
	value *= 0xff51afd7ed558ccdULL;
	value ^= value >> 33;
	value *= 0xc4ceb9fe1a85ec53ULL;
	return value ^ value >> 33;
}

/*
 * Holds every other of the first visits, and ever fewer: a place that is passed all the time would
 * stop everything.
 */
static __attribute__((noinline, cold)) void hold(u64 place)
{
	if (state == 0)
		state = mixed(seed ^ (u64)(uintptr_t)&state) | 1;
	state = state * 6364136223846793005ULL + 1442695040888963407ULL;
	u64 drawn = state >> 24;
	_Atomic u32 *count = &visits[place / PLACES % TABLE];
	u64 before = atomic_fetch_add_explicit(count, 1, memory_order_relaxed);
	if (drawn % (2 + before / 2) != 0)
		return;
	drawn = mixed(drawn);
	int saved = errno;
	u64 us = drawn % 8 == 0 ? 500 + drawn / 8 % 2500 : 50 + drawn / 8 % 200;
	struct timespec left = { 0, (long)us * 1000 };
	nanosleep(&left, NULL);
	errno = saved;
}

static void visit(void *at)
{
	static const char origin;
	u64 place = seed;
	for (u32 i = 0; i < CALLERS; i++) {
		place = mixed(place ^ (u64)((char *)at - &origin));
		at = calls[(depth - 1 - i) % DEPTH];
	}
	if (place % PLACES == 0)
		hold(place);
}

#define HERE visit(__builtin_return_address(0))

void __tsan_init(void)
{
	static atomic_int done;
	if (atomic_exchange(&done, 1))
		return;
	const char *given = getenv("DELAY_SEED");
	seed = mixed(given ? strtoull(given, NULL, 10) + 1 : 1);
}

/* The macros have the signatures that LLVM's pass calls. */
#define ATOMIC(bits) \
	u##bits __tsan_atomic##bits##_load(const u##bits *at, int order) \
	{ (void)order; HERE; return __atomic_load_n(at, __ATOMIC_SEQ_CST); } \
	void __tsan_atomic##bits##_store(u##bits *at, u##bits value, int order) \
	{ (void)order; HERE; __atomic_store_n(at, value, __ATOMIC_SEQ_CST); } \
	FETCH(bits, exchange, __atomic_exchange_n) \
	FETCH(bits, fetch_add, __atomic_fetch_add) \
	FETCH(bits, fetch_sub, __atomic_fetch_sub) \
	FETCH(bits, fetch_and, __atomic_fetch_and) \
	FETCH(bits, fetch_or, __atomic_fetch_or) \
	FETCH(bits, fetch_xor, __atomic_fetch_xor) \
	FETCH(bits, fetch_nand, __atomic_fetch_nand) \
	COMPARE(bits, strong) \
	COMPARE(bits, weak) \
	u##bits __tsan_atomic##bits##_compare_exchange_val( \
		u##bits *at, u##bits old, u##bits new, int order, int failed) \
	{ \
		(void)order; (void)failed; HERE; \
		EXCHANGE_IF(at, &old, new); \
		return old; \
	}
#define FETCH(bits, name, operation) \
	u##bits __tsan_atomic##bits##_##name(u##bits *at, u##bits value, int order) \
	{ (void)order; HERE; return operation(at, value, __ATOMIC_SEQ_CST); }
#define COMPARE(bits, name) \
	int __tsan_atomic##bits##_compare_exchange_##name( \
		u##bits *at, u##bits *old, u##bits new, int order, int failed) \
	{ (void)order; (void)failed; HERE; return EXCHANGE_IF(at, old, new); }
#define EXCHANGE_IF(at, old, new) \
	__atomic_compare_exchange_n(at, old, new, 0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)
ATOMIC(8)
ATOMIC(16)
ATOMIC(32)
ATOMIC(64)

void __tsan_atomic_thread_fence(int order)
{ (void)order; HERE; __atomic_thread_fence(__ATOMIC_SEQ_CST); }
void __tsan_atomic_signal_fence(int order) { (void)order; }

/* Whatever else the compiler reports is no concern of ours. */
#define IGNORED(name) void __tsan_##name(void *at) { (void)at; }
#define SIZES(name) \
	IGNORED(name##1) IGNORED(name##2) IGNORED(name##4) IGNORED(name##8) IGNORED(name##16)
#define ALIGNED_OR_NOT(name) SIZES(name) SIZES(unaligned_##name)
ALIGNED_OR_NOT(read) ALIGNED_OR_NOT(write) ALIGNED_OR_NOT(read_write)
ALIGNED_OR_NOT(volatile_read) ALIGNED_OR_NOT(volatile_write)
IGNORED(vptr_read)
void __tsan_vptr_update(void *at, void *value) { (void)at; (void)value; }
void __tsan_func_entry(void *caller) { calls[depth++ % DEPTH] = caller; }
void __tsan_func_exit(void) { depth--; }
void __tsan_read_range(void *at, unsigned long size) { (void)at; (void)size; }
void __tsan_write_range(void *at, unsigned long size) { (void)at; (void)size; }
void *__tsan_memcpy(void *to, const void *from, size_t size)
{ return __builtin_memcpy(to, from, size); }
void *__tsan_memmove(void *to, const void *from, size_t size)
{ return __builtin_memmove(to, from, size); }
void *__tsan_memset(void *to, int value, size_t size)
{ return __builtin_memset(to, value, size); }
