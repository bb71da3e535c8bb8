/* faults.h - make the n-th allocation, random or filtered call fail, n = 1, 2, …
 *
 * In CMake:  hf_unit(fault_x SOURCES fault_x.c LIBS hf_faults … WRAP ${HF_FAULT_WRAP})
 * The linker then sends our own code's malloc, calloc, realloc, free, strdup,
 * strndup and random_bytes here. Shared libraries keep theirs; libcrypto, after
 * crypto_warm_up(), allocates through our code and so is covered. */
#ifndef TESTS_SUPPORT_FAULTS_H
#define TESTS_SUPPORT_FAULTS_H
#include <stddef.h>
#include "core/err.h"

/* The call number (from 1) that fails; 0: none. Counting starts when it is set by
 * fault_arm(); each fault strikes once. */
extern unsigned long fault_alloc_at, fault_random_at;
void   fault_arm(unsigned long alloc_at, unsigned long random_at);
void   fault_disarm(void);
/* While paused, no allocation fails and none is counted: for a test's wrapper round
 * a library that itself loses memory when there is none. */
void   fault_pause(int on);
int    fault_struck(void);                 /* did it, since fault_arm()? */
size_t fault_live_blocks(void);            /* allocated since fault_arm(), not freed */
int    open_fds(void);                     /* descriptors this process has */

enum fault_kind {
    FAULT_ALLOC,      /* allocation n fails */
    FAULT_ALLOC_LIBRARY, /* the same, where a library's allocations count: it may do without
                         * some, so a fault need not be told; the body checks its result */
    FAULT_RANDOM,     /* random_bytes() call n fails */
    FAULT_CALL        /* the body sets fail_at = n in its io_faults or blk_faults itself */
};
/* One attempt. Give back everything that was taken, whatever happens; return the
 * failure that came up, or OK. */
typedef err fault_body(void *ctx, unsigned long n);

/* Runs the body without a fault (must be OK), then with n = 1, 2, … until it gives OK
 * without the fault having struck. After each run: no secret, no heap block and no
 * descriptor more than before; and a fault that struck was told. (A run that leaves
 * blocks is repeated: only what stays every time is a leak, not a library's cache.)
 * Returns the number of faults that struck. Fails the Check test otherwise. */
unsigned long fault_loop(enum fault_kind kind, fault_body *body, void *ctx, const char *what);
/* As above, and require that at least one fault struck. */
#define FAULT_LOOP(kind, body, ctx) \
    ck_assert_msg(fault_loop((kind), (body), (ctx), #body) > 0, "%s: no fault could strike", #body)

#endif
