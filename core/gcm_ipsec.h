/* gcm_ipsec.h - AES-256-GCM by libipsec-mb, for processors with AVX-512, VAES and VPCLMULQDQ. For gcm.c and its tests only.
 *
 * Three times the speed of libcrypto there, and the same bytes. A key's schedule and the state of one message lie in a
 * room that the caller has and wipes: in the arena. The library keeps nothing of either. */
#ifndef CORE_GCM_IPSEC_H
#define CORE_GCM_IPSEC_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { GCM_IPSEC_ROOM = 1152, GCM_IPSEC_ALIGN = 64 };

/* Once, before the sandbox: ask the processor, and have the library test itself. Nothing that it allocates stays. It
 * is no error when it cannot be used. */
void gcm_ipsec_start(void);
/* It was started and can be used. */
bool gcm_ipsec_ready(void);

/* The calls below need gcm_ipsec_ready(). `room`: GCM_IPSEC_ROOM bytes at a multiple of GCM_IPSEC_ALIGN. They cannot fail but by
 * a mistake of ours, which aborts. What is made for a message in the room is wiped before they return. */
void gcm_ipsec_key(void *room, const uint8_t key[static 32]);
/* Out: out[0..n), tag. `in` and `out` may be the same; both may be NULL when n is 0. */
void gcm_ipsec_seal(void *room, uint8_t *out, uint8_t tag[static 16], const uint8_t nonce[static 12],
                    const void *aad, size_t aad_len, const uint8_t *in, size_t n);
/* Out: out[0..n), and the tag that it should have had: the caller compares, and wipes `out` when it had another. */
void gcm_ipsec_open(void *room, uint8_t *out, uint8_t tag[static 16], const uint8_t nonce[static 12],
                    const void *aad, size_t aad_len, const uint8_t *in, size_t n);

#endif
