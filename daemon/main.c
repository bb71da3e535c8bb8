/* holdfastd - the enclave's one program: init, and under --role each of its roles. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/roles.h"

static void usage(FILE *to)
{
    fputs("Usage: holdfastd --config FILE\n"
          "Keep a service's key and disk inside an enclave; see holdfastd(8).\n\n"
          "  --config FILE  the measured configuration (INI; default /etc/holdfast/holdfastd.ini)\n"
          "  --keys         print every configuration key with its meaning, and end\n"
          "  --version      print the version, and end\n"
          "  --help         print this, and end\n\n"
          "Exit status: 0 stopped by SIGTERM, with a durable last seal; 2 usage; 64 and above:\n"
          "the failure that ended the enclave (65 malformed, 66 too large, 67 not authentic, 68 denied,\n"
          "69 wrong state, 70 missing, 71 the parent is gone, 72 timed out, 73 system error, 74 memory,\n"
          "80 a role was killed, 81 stopping stalled); the log says which and why.\n", to);
}

static void print_keys(void)
{
    for (size_t i = 0; i < daemon_config_count; i++)
        printf("[%s] %-12s %s\n", daemon_config_keys[i].section, daemon_config_keys[i].name, daemon_config_keys[i].help);
}

int main(int argc, char **argv)
{
    static const struct option options[] = {
        { "config", required_argument, NULL, 'c' }, { "role", required_argument, NULL, 'r' },
        { "instance", required_argument, NULL, 'i' }, { "keys", no_argument, NULL, 'k' },
        { "version", no_argument, NULL, 'v' }, { "help", no_argument, NULL, 'h' }, { 0 } };
    const char *config = "/etc/holdfast/holdfastd.ini", *role = NULL;
    unsigned instance = 0;
    for (int c; (c = getopt_long(argc, argv, "", options, NULL)) != -1; ) {
        switch (c) {
        case 'c': config = optarg; break;
        case 'r': role = optarg; break;
        case 'i': instance = (unsigned)strtoul(optarg, NULL, 10); break;
        case 'k': print_keys(); return 0;
        case 'v': puts("holdfastd " HOLDFAST_VERSION); return 0;
        case 'h': usage(stdout); return 0;
        default: usage(stderr); return 2;
        }
    }
    if (optind != argc) {
        usage(stderr);
        return 2;
    }
    return role ? role_process(role, instance) : init_run(config);
}
