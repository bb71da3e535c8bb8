/* bank.h - what a Nitro Security Module does, without its device.
 *
 * A machine (the files of DIR) has an instance id and the PCRs that a boot
 * measures. An enclave is one life on it: it starts from those, may extend and
 * lock PCR16 to PCR31, and has its own module id and certificate. */
#ifndef SIM_BANK_H
#define SIM_BANK_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "core/err.h"
#include "keystore/nsm_codec.h"
#include "sim/pki.h"

enum { BANK_MEASURED = 16, BANK_INSTANCE = 20 };      /* PCR0..15; "i-" and 17 hex digits */

struct machine {
    char    instance[BANK_INSTANCE];
    uint8_t pcr[BANK_MEASURED][NSM_PCR_LEN];
    bool    debug;                      /* PCR0, 1, 2 and 8 read as zero, as on a debug-mode enclave */
};
/* Read DIR/nsm.state; without one, make a machine with a random instance id and
 * development measurements, and write it. Fails: E_FORMAT (not a state file), E_IO. */
err machine_open(struct machine *m, const char *dir);
/* Write DIR/nsm.state: whole or not at all. */
err machine_save(const struct machine *m, const char *dir);

struct enclave;
/* Begin a life: a fresh module id, key and chain. `m` and `p` must outlive it. */
err  enclave_new(struct enclave **out, const struct machine *m, const struct pki *p);
void enclave_free(struct enclave **e);
/* Answer one request. Whatever is wrong with it becomes an NSM error in the answer.
 * Out: answer[0..*len), at most NSM_RESPONSE_MAX. Fails only when the simulator itself does. */
err  enclave_answer(struct enclave *e, uint8_t answer[static NSM_RESPONSE_MAX], size_t *len, const void *request, size_t n);

#endif
