// SPDX-License-Identifier: MIT
/* ACPICA's configuration, by the name of a host that it knows and nobody has. One thread: no locks. */
#pragma once
#define ACPI_MACHINE_WIDTH 64
#define ACPI_USE_STANDARD_HEADERS
#define ACPI_USE_SYSTEM_CLIBRARY
#define ACPI_USE_NATIVE_MATH64
#define ACPI_USE_LOCAL_CACHE
#define ACPI_USE_DO_WHILE_0
#define ACPI_PCI_CONFIGURED
#define ACPI_EXPORT_SYMBOL(symbol)
#define __iomem
