/* gcm.h - what crypto_warm_up() does for gcm.c. Not for others: the calls are in crypto.h. */
#ifndef CORE_GCM_H
#define CORE_GCM_H
#include "core/err.h"

/* Start libipsec-mb where it can be used, and check what will be used against published answers, and one library against
 * the other (MUST). Fails: E_MEMORY. */
err gcm_warm_up(void);

#endif
