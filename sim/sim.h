/* sim.h - the programs inside holdfast-sim. Each takes its own argv (argv[0] is its
 * name), understands --help, and returns an exit status: 0, 1 (failed), 2 (usage). */
#ifndef SIM_SIM_H
#define SIM_SIM_H

int sim_nsm_main(int argc, char **argv);      /* the Nitro Security Module        */
int sim_kms_main(int argc, char **argv);      /* AWS KMS over HTTPS               */
int sim_imds_main(int argc, char **argv);     /* the instance metadata service    */

#endif
