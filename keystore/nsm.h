/* nsm.h - the client of the Nitro Security Module.
 *
 * Works over a descriptor that is handed in: a character device is asked with
 * ioctl NSM_IOCTL_RAW (linux/nsm.h), a unix SOCK_SEQPACKET socket carries the same
 * request and response, one packet each (holdfast-sim nsm). Nothing else differs.
 * The driver serialises calls and gives up after 120 s; so do we. System calls made:
 * fstat and getsockopt once; then ioctl, or sendmsg, poll, recvmsg. */
#ifndef KEYSTORE_NSM_H
#define KEYSTORE_NSM_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "core/err.h"
#include "keystore/nsm_codec.h"

struct nsm { int fd; bool simulated; };          /* fd is borrowed: never closed here */

/* For the process that hands the descriptor on: open a device path ("/dev/nsm") or
 * connect to "unix:PATH". Out: *fd, close-on-exec. Fails: E_FORMAT, E_IO. */
err nsm_connect(int *fd, const char *where);
/* Learn what fd is. A device gives simulated = false, a socket true.
 * Fails: E_FORMAT (neither), E_IO. */
err nsm_from_fd(struct nsm *out, int fd);

/* Ask for an attestation document. p = NULL leaves a field null.
 * Out:   doc[0..*len), *len <= cap; NSM_RESPONSE_MAX is always enough.
 * Fails: E_LIMIT (a field too long, cap too small), E_FORMAT (a strange answer),
 *        E_DENIED (NSM refused; its word is logged), E_IO, E_TIMEOUT, E_CLOSED. */
err nsm_attestation(const struct nsm *n, uint8_t *doc, size_t cap, size_t *len,
                    struct bytes public_key, struct bytes user_data, struct bytes nonce);
/* Failures as above for all of these. */
err nsm_describe_pcr(const struct nsm *n, uint8_t value[static NSM_PCR_LEN], bool *locked, unsigned index);
/* value = SHA384(old value || data). E_DENIED when the PCR is locked. */
err nsm_extend_pcr(const struct nsm *n, uint8_t value[static NSM_PCR_LEN], unsigned index, const void *data, size_t len);
err nsm_lock_pcr(const struct nsm *n, unsigned index);
struct nsm_about { char module_id[NSM_MODULE_ID_MAX + 1]; uint16_t major, minor, patch, max_pcrs; uint32_t locked; };
err nsm_describe(const struct nsm *n, struct nsm_about *out);
/* Fill out[0..len) with the module's random bytes, in as many calls as it takes. */
err nsm_random(const struct nsm *n, uint8_t *out, size_t len);

#endif
