/* secret.c - the arena.
 *
 *   guard | table | guard | bytes | guard
 *
 * The bytes are cut in units of 64. The table has one entry per unit, and the
 * entry of a secret's first unit is its handle: so a handle can be checked by
 * arithmetic, and an overrun of the bytes meets a guard, not the table. Behind a
 * secret's last byte, to the end of its last unit, stands a canary of at least
 * 16 bytes. Both parts are locked, undumpable, and zero in a forked child. */
#include "core/secret.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "core/hash.h"
#include "core/mem.h"

enum { UNIT = 64, CANARY = 16, LONGEST = 4096 };

struct secret {
    uint32_t len;             /* of the secret; 0: no secret begins at this unit */
    uint32_t units;           /* it takes */
};

/* First in the table's pages. `alive` is 1, and 0 again in a forked child: the
 * kernel wiped it there together with everything else. */
struct table {
    uint32_t alive, count;
    uint8_t canary[CANARY];
    struct secret at[];
};

/* The process's only state besides the log's (see core/log.h). */
static struct arena {
    uint8_t *map;
    size_t map_len;
    struct table *table;
    size_t table_len;
    uint8_t *bytes;
    size_t bytes_len, units;
} arena;

static size_t page_size(void)
{
    return (size_t)sysconf(_SC_PAGESIZE);
}

static size_t pages(size_t n)
{
    size_t page = page_size();
    return (n + page - 1) / page * page;
}

static bool is_open(void)
{
    return arena.map && arena.table->alive;
}

/* Out: the mapping is at arena.map. A failure leaves it there for release(). */
static err map_parts(struct arena *a)
{
    size_t page = page_size();
    a->units = a->bytes_len / UNIT;
    a->table_len = pages(sizeof *a->table + a->units * sizeof(struct secret));
    a->map_len = a->table_len + a->bytes_len + 3 * page;
    void *map = mmap(NULL, a->map_len, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (map == MAP_FAILED)
        FAIL(E_IO, "mapping %zu bytes for secrets", a->map_len);
    a->map = map;
    a->table = (void *)(a->map + page);
    a->bytes = a->map + page + a->table_len + page;
    return OK;
}

static err lock_part(void *p, size_t n)
{
    if (mprotect(p, n, PROT_READ | PROT_WRITE) != 0)
        FAIL(E_IO, "opening %zu bytes for secrets", n);
    /* Not mlock(): sanitizer runtimes make that one do nothing. */
    if (syscall(SYS_mlock, p, n) != 0)
        FAIL(E_IO, "locking %zu bytes for secrets (see RLIMIT_MEMLOCK)", n);
    if (madvise(p, n, MADV_DONTDUMP) != 0 || madvise(p, n, MADV_WIPEONFORK) != 0)
        FAIL(E_IO, "keeping secrets out of dumps and child processes");
    return OK;
}

/* What may be locked without privilege is a soft limit that we may lift ourselves. */
static err raise_lock_limit(void)
{
    struct rlimit r;
    if (getrlimit(RLIMIT_MEMLOCK, &r) != 0)
        FAIL(E_IO, "asking for RLIMIT_MEMLOCK");
    r.rlim_cur = r.rlim_max;
    if (setrlimit(RLIMIT_MEMLOCK, &r) != 0)
        FAIL(E_IO, "raising RLIMIT_MEMLOCK");
    return OK;
}

static void release(struct arena *a)
{
    int saved = errno;
    if (a->map)
        munmap(a->map, a->map_len);
    *a = (struct arena){ 0 };
    errno = saved;
}

err secret_arena_open(size_t size)
{
    if (is_open())
        FAIL(E_STATE, "the arena is open already");
    if (size == 0 || size > (64u << 20))
        FAIL(E_LIMIT, "an arena of %zu bytes", size);
    /* In a forked child the parent's mapping is left where it is, all zero: its
     * handles then point nowhere that a new arena could be. */
    __attribute__((cleanup(release))) struct arena a = { .bytes_len = pages(size) };
    TRY(raise_lock_limit());
    TRY(map_parts(&a));
    TRY(lock_part(a.table, a.table_len));
    TRY(lock_part(a.bytes, a.bytes_len));
    TRY(random_bytes(a.table->canary, CANARY));
    a.table->alive = 1;
    arena = a;
    a.map = NULL;
    return OK;
}

void secret_arena_close(void)
{
    if (!arena.map)
        return;
    mem_wipe(arena.bytes, arena.bytes_len);
    mem_wipe(arena.table, arena.table_len);
    release(&arena);
}

size_t secret_count(void)
{
    return is_open() ? arena.table->count : 0;
}

/* A handle is an entry of the table where a secret begins; anything else ends us. */
static size_t unit_of(const secret *s)
{
    MUST(is_open() && s != NULL);
    uintptr_t first = (uintptr_t)arena.table->at, at = (uintptr_t)s;
    MUST(at >= first && (at - first) % sizeof *s == 0);
    size_t unit = (at - first) / sizeof *s;
    MUST(unit < arena.units && s->len >= 1 && s->units <= arena.units - unit);
    return unit;
}

static uint8_t *bytes_of(const secret *s)
{
    return arena.bytes + unit_of(s) * UNIT;
}

static void canary_put(const secret *s)
{
    uint8_t *p = bytes_of(s);
    for (size_t i = s->len; i < (size_t)s->units * UNIT; i++)
        p[i] = arena.table->canary[i % CANARY];
}

static bool canary_alive(const secret *s)
{
    const uint8_t *p = bytes_of(s);
    uint8_t odd = 0;
    for (size_t i = s->len; i < (size_t)s->units * UNIT; i++)
        odd |= p[i] ^ arena.table->canary[i % CANARY];
    return odd == 0;
}

/* First fit; secrets are few, so a walk from entry to entry is short. */
static secret *find_room(size_t units)
{
    size_t run = 0;
    for (size_t i = 0; i < arena.units;) {
        secret *s = &arena.table->at[i];
        if (s->len) {
            run = 0;
            i += s->units;
            continue;
        }
        i++;
        if (++run == units)
            return &arena.table->at[i - units];
    }
    return NULL;
}

err secret_new(secret **out, size_t len)
{
    *out = NULL;
    if (!is_open())
        FAIL(E_STATE, "this process may hold no secret: it has no arena");
    if (len < 1 || len > LONGEST)
        FAIL(E_LIMIT, "a secret of %zu bytes", len);
    size_t units = (len + CANARY + UNIT - 1) / UNIT;
    secret *s = find_room(units);
    if (!s)
        FAIL(E_MEMORY, "the arena has no room for a secret of %zu bytes", len);
    *s = (secret){ (uint32_t)len, (uint32_t)units };
    arena.table->count++;
    /* Zero since the map was made, or since the last owner was dropped. */
    canary_put(s);
    *out = s;
    return OK;
}

err secret_random(secret **out, size_t len)
{
    SECRET s = NULL;
    *out = NULL;
    TRY(secret_new(&s, len));
    TRY(random_bytes(bytes_of(s), len));
    secret_move(out, &s);
    return OK;
}

err secret_copy(secret **out, const secret *s)
{
    SECRET copy = NULL;
    *out = NULL;
    TRY(secret_new(&copy, secret_len(s)));
    memcpy(bytes_of(copy), bytes_of(s), s->len);
    secret_move(out, &copy);
    return OK;
}

void secret_drop(secret **s)
{
    secret *old = *s;
    *s = NULL;
    /* A forked child has handles and no secrets; its cleanups must still run. */
    if (!old || (arena.map && !arena.table->alive))
        return;
    uint8_t *p = bytes_of(old);
    MUST(canary_alive(old));
    mem_wipe(p, (size_t)old->units * UNIT);
    *old = (secret){ 0, 0 };
    arena.table->count--;
}

void secret_move(secret **dst, secret **src)
{
    MUST(dst != src && (*src == NULL || *dst != *src));
    secret_drop(dst);
    *dst = *src;
    *src = NULL;
}

size_t secret_len(const secret *s)
{
    (void)unit_of(s);
    return s->len;
}

bool secret_eq(const secret *a, const secret *b)
{
    size_t n = secret_len(a);
    return n == secret_len(b) && bytes_equal(bytes_of(a), bytes_of(b), n);
}

uint8_t *secret_reveal(secret *s)
{
    return bytes_of(s);
}

const uint8_t *secret_peek(const secret *s)
{
    return bytes_of(s);
}
