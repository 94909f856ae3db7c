/* A fake libnvidia-ml.so.1 with its answers in files of the folder STATE: `init` and `count`, and for
 * the GPU N `N.name`, `N.uuid`, `N.energy` (mJ), `N.power` (mW), `N.compute` and `N.graphics`
 * (process ids). The text `!CODE` makes a function return that code. Without its file, a function is
 * unsupported. `N.readings` gets a byte for every reading of the energy. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef int nvmlReturn_t;
typedef struct {
  unsigned int pid;
  unsigned long long usedGpuMemory;
  unsigned int gpuInstanceId;
  unsigned int computeInstanceId;
} nvmlProcessInfo_t;

enum { SUCCESS = 0, INVALID = 2, NOT_SUPPORTED = 3, NOT_FOUND = 6, INSUFFICIENT_SIZE = 7 };

static nvmlReturn_t text(const char *name, char *into, size_t size) {
  char path[4096];
  snprintf(path, sizeof path, "%s/%s", STATE, name);
  FILE *file = fopen(path, "r");
  if (!file) return NOT_SUPPORTED;
  size_t length = fread(into, 1, size - 1, file);
  fclose(file);
  while (length && into[length - 1] == '\n') length--;
  into[length] = 0;
  return into[0] == '!' ? atoi(into + 1) : SUCCESS;
}

static nvmlReturn_t of(void *device, const char *what, char *into, size_t size) {
  char name[64];
  snprintf(name, sizeof name, "%d.%s", (int)(size_t)device - 1, what);
  return text(name, into, size);
}

static nvmlReturn_t number(void *device, const char *what, unsigned long long *into) {
  char line[64];
  nvmlReturn_t code = of(device, what, line, sizeof line);
  if (code == SUCCESS) *into = strtoull(line, NULL, 10);
  return code;
}

static unsigned int devices(void) {
  char line[64];
  return text("count", line, sizeof line) == SUCCESS ? (unsigned int)atoi(line) : 0;
}

nvmlReturn_t nvmlInit_v2(void) {
  char line[64];
  nvmlReturn_t code = text("init", line, sizeof line);
  return code == NOT_SUPPORTED ? SUCCESS : code;
}

nvmlReturn_t nvmlShutdown(void) { return SUCCESS; }

nvmlReturn_t nvmlSystemGetDriverVersion(char *into, unsigned int size) {
  snprintf(into, size, "570.00");
  return SUCCESS;
}

nvmlReturn_t nvmlDeviceGetCount_v2(unsigned int *count) {
  *count = devices();
  return SUCCESS;
}

nvmlReturn_t nvmlDeviceGetHandleByIndex_v2(unsigned int index, void **device) {
  if (index >= devices()) return INVALID;
  *device = (void *)(size_t)(index + 1);
  return SUCCESS;
}

/* `MIG-N` is a slice of the GPU N. */
nvmlReturn_t nvmlDeviceGetHandleByUUID(const char *uuid, void **device) {
  if (strncmp(uuid, "MIG-", 4) || (unsigned int)atoi(uuid + 4) >= devices()) return NOT_FOUND;
  *device = (void *)(size_t)(atoi(uuid + 4) + 101);
  return SUCCESS;
}

nvmlReturn_t nvmlDeviceGetDeviceHandleFromMigDeviceHandle(void *part, void **device) {
  *device = (void *)((size_t)part - 100);
  return SUCCESS;
}

nvmlReturn_t nvmlDeviceGetName(void *device, char *into, unsigned int size) {
  return of(device, "name", into, size);
}

nvmlReturn_t nvmlDeviceGetUUID(void *device, char *into, unsigned int size) {
  return of(device, "uuid", into, size);
}

nvmlReturn_t nvmlDeviceGetTotalEnergyConsumption(void *device, unsigned long long *energy) {
  char path[4096];
  snprintf(path, sizeof path, "%s/%d.readings", STATE, (int)(size_t)device - 1);
  nvmlReturn_t code = number(device, "energy", energy);
  FILE *file = fopen(path, "a");
  if (file) {
    fputc('.', file);
    fclose(file);
  }
  return code;
}

nvmlReturn_t nvmlDeviceGetPowerUsage(void *device, unsigned int *power) {
  unsigned long long value = 0;
  nvmlReturn_t code = number(device, "power", &value);
  *power = (unsigned int)value;
  return code;
}

static nvmlReturn_t processes(void *device, const char *what, unsigned int *count,
                              nvmlProcessInfo_t *into) {
  char line[4096];
  unsigned int room = *count;
  nvmlReturn_t code = of(device, what, line, sizeof line);
  *count = 0;
  if (code == NOT_SUPPORTED) return SUCCESS;
  if (code != SUCCESS) return code;
  for (char *word = strtok(line, " "); word; word = strtok(NULL, " "), ++*count) {
    if (*count < room && into) {
      memset(&into[*count], 0, sizeof *into);
      into[*count].pid = (unsigned int)atoi(word);
    }
  }
  return *count > room || (!into && *count) ? INSUFFICIENT_SIZE : SUCCESS;
}

nvmlReturn_t nvmlDeviceGetComputeRunningProcesses_v3(void *device, unsigned int *count,
                                                     nvmlProcessInfo_t *into) {
  return processes(device, "compute", count, into);
}

#ifndef OLD_DRIVER
nvmlReturn_t nvmlDeviceGetGraphicsRunningProcesses_v3(void *device, unsigned int *count,
                                                      nvmlProcessInfo_t *into) {
  return processes(device, "graphics", count, into);
}
#endif
