/* main.c - `holdfast-sim`: one program, the outside services of an enclave as subcommands. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "sim/sim.h"

static const char help[] =
    "usage: holdfast-sim SERVICE --state DIR [OPTIONS]\n"
    "\n"
    "Simulated services for development and tests, with the protocols of the real ones and\n"
    "trust anchors of their own. Nothing outside a test should trust them.\n"
    "\n"
    "  nsm    the Nitro Security Module: PCRs and attestation documents\n"
    "  kms    AWS KMS: key agreement keys under policies that ask for an attestation\n"
    "  imds   the instance metadata service: credentials for that KMS\n"
    "\n"
    "All may share one state folder. `holdfast-sim SERVICE --help` tells the rest;\n"
    "`holdfast-sim --version` the version.\n";

static const struct { const char *name; int (*run)(int argc, char **argv); } services[] = {
    { "nsm", sim_nsm_main }, { "kms", sim_kms_main }, { "imds", sim_imds_main },
};

int main(int argc, char **argv)
{
    const char *word = argc > 1 ? argv[1] : "";
    if (strcmp(word, "--version") == 0) return puts("holdfast-sim " HOLDFAST_VERSION) < 0;
    if (strcmp(word, "--help") == 0) return fputs(help, stdout) < 0;
    for (size_t i = 0; i < sizeof services / sizeof *services; i++)
        if (strcmp(word, services[i].name) == 0) return services[i].run(argc - 1, argv + 1);
    fputs(help, stderr);
    return 2;
}
