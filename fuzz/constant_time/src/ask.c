/* Requests to memcheck: macros, which Rust cannot call. Outside valgrind they do nothing. */
#include <stddef.h>
#include <valgrind/memcheck.h>

void ask_hide(const void *at, size_t bytes) { (void)VALGRIND_MAKE_MEM_UNDEFINED(at, bytes); }
void ask_show(const void *at, size_t bytes) { (void)VALGRIND_MAKE_MEM_DEFINED(at, bytes); }
unsigned ask_findings(void) { return VALGRIND_COUNT_ERRORS; }
unsigned ask_is_there(void) { return RUNNING_ON_VALGRIND; }
