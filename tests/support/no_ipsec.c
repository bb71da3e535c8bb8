/* no_ipsec.c - a processor without VAES: link with WRAP gcm_ipsec_ready. */
#include <stdbool.h>

bool __wrap_gcm_ipsec_ready(void);
bool __wrap_gcm_ipsec_ready(void)
{
    return false;
}
