/* Holding little memory: what a program may ask of its C library, where it can be asked.
 * glibc keeps an arena a thread and gives little back; musl does neither and offers
 * nothing to set. */
#ifndef HATANG_AGENT_FRUGAL_H
#define HATANG_AGENT_FRUGAL_H

/* Before the first thread starts. */
void frugal_start(void);

/* Give back to the system what is free. */
void frugal_trim(void);

#endif
