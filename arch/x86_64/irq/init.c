// SPDX-License-Identifier: MIT
/* Bringing up interrupts and time on the boot CPU, and sending each vector to its handler. */
#include "../acpi/acpi.h"
#include "../smp/smp.h"
#include "../time/clock.h"
#include "irq.h"
#include <asm/arch.h>
#include <kernel/log.h>
#include <kernel/trace_ring.h>

void arch_init_interrupts(void) {
    acpi_init(boot_rsdp);
    lapic_init(acpi_info()->lapic_address);
    ioapic_init(acpi_info());
    clock_init_boot(acpi_info()->hpet_address);
    lapic_timer_calibrate();
}

/* A level-triggered line stays asserted until its driver has served it: trap_irq() masks it, and only
 * then the local APIC may take the next interrupt. */
void irq_dispatch(unsigned vector) {
    cpu_count(COUNT_IRQ);
    trace_ring_add(TR_INTERRUPT, vector, 0);
    if (vector < VECTOR_TIMER) {
        trap_irq(vector - VECTOR_DEVICE);
        lapic_eoi();
        return;
    }
    switch (vector) {
    case VECTOR_TIMER:
        lapic_eoi();
        trap_timer();
        break;
    case VECTOR_WAKE:
        lapic_eoi();
        ipi_wake_handle();
        break;
    case VECTOR_CALL:
        lapic_eoi();
        arch_ipi_poll();
        break;
    case VECTOR_ERROR:
        lapic_eoi();
        klog(LOG_ERROR, "lapic: error %#x", lapic_take_error());
        break;
    default: break; /* spurious, of the APIC or a masked 8259: no end of interrupt. SDM vol. 3 §10.9 */
    }
}
