/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * virtio_ring.c - virtqueues, split (Virtio 1.2, 2.7) and packed (2.8), with indirect descriptors and
 * event indices.
 *
 * Split ring: `descriptors` is a table of { address, length, flags, next }; the driver writes heads into
 * `driver` { flags, index, ring[size], used_event }, the device { id, length } into
 * `device_area` { flags, index, ring[size], avail_event }.  Indices run freely, modulo 65536.
 *
 * Packed ring: one table of { address, length, id, flags }, walked round and round by both; a bit of
 * flags tells whose turn an entry is, meaning the opposite in every other round (the wrap counters).
 * `driver` and `device_area` are event suppression structures { offset | wrap << 15, flags }.
 *
 * Order of memory accesses: guests write and read rings on other threads meanwhile.  An index or flags
 * are read with acquire and in one piece, before what they guard; what they guard is written before them
 * (x86 keeps stores in order).  Between telling "notify me from here" and looking once more, and between
 * pushing and looking whether the driver wants an interrupt, stands a full barrier.
 *
 * Invariants:
 *  R1  A chain has at most `size` descriptors, or those of one indirect table, and VIRTIO_SEGMENTS_MAX
 *      segments; so no walk is longer, whatever links the guest made.
 *  R2  Rings and buffers are RAM.  Nothing here reads or writes a device's registers, so no request
 *      makes another one.
 *  R3  A malformed ring stops the device (virtio_fail()); nothing of that request has been carried out.
 */
#include <string.h>

#include "base/log.h"
#include "devices/virtio/virtio.h"

enum { DESCRIPTOR_BYTES = 16 };
enum { DESC_NEXT = 1 << 0, DESC_WRITE = 1 << 1, DESC_INDIRECT = 1 << 2, DESC_AVAIL = 1 << 7, DESC_USED = 1 << 15 };
enum { AVAIL_NO_INTERRUPT = 1 };
/* Split: offsets in the driver's and the device's area. */
enum { AREA_INDEX = 2, AREA_RING = 4, USED_ENTRY_BYTES = 8 };
/* Packed: event suppression structures. */
enum { EVENT_OFFSET = 0, EVENT_FLAGS = 2, EVENT_ENABLE = 0, EVENT_DISABLE = 1, EVENT_DESC = 2, EVENT_WRAP = 1 << 15 };

/* When all places are taken by requests that are out. */
enum { WAIT_NS = 1000000 };

struct descriptor {
        uint64_t address;
        uint32_t size;
        uint16_t flags, link;           /* link: next (split) or buffer id (packed) */
};

static bool is_packed(const struct virtio_queue *queue)
{
        return virtio_has(queue->device, VIRTIO_F_RING_PACKED);
}

/* -- Access to rings ----------------------------------------------------------------------------- */

/* A 16-bit field that the guest may be writing right now, in one piece. */
static bool ring_get16(struct virtio_queue *queue, gpa_t gpa, uint16_t *value)
{
        struct page_info page = memory_page(queue->device->pci.device.env->memory, gpa);
        uint8_t bytes[2];

        if (page.kind == PAGE_RAM && page.host && !(page.state & PAGE_ABSENT) && !(gpa & 1)) {
                *value = __atomic_load_n((const uint16_t *)(const void *)(page.host + (gpa & ~PAGE_MASK)), __ATOMIC_ACQUIRE);
                return true;
        }
        if (!pci_dma_read(&queue->device->pci, gpa, bytes, sizeof(bytes))) {
                virtio_fail(queue->device, "queue %u: no memory at %#" G_GINT64_MODIFIER "x", queue->index, gpa);
                return false;
        }
        *value = (uint16_t)(bytes[0] | bytes[1] << 8);
        return true;
}

static bool ring_put(struct virtio_queue *queue, gpa_t gpa, const void *from, size_t size)
{
        if (pci_dma_write(&queue->device->pci, gpa, from, size))
                return true;
        virtio_fail(queue->device, "queue %u: no memory at %#" G_GINT64_MODIFIER "x", queue->index, gpa);
        return false;
}

static bool ring_put16(struct virtio_queue *queue, gpa_t gpa, uint16_t value)
{
        uint8_t bytes[2] = { (uint8_t)value, (uint8_t)(value >> 8) };

        return ring_put(queue, gpa, bytes, sizeof(bytes));
}

static bool descriptor_get(struct virtio_queue *queue, gpa_t table, unsigned n, struct descriptor *to)
{
        uint8_t bytes[DESCRIPTOR_BYTES];
        bool packed = is_packed(queue);

        if (!pci_dma_read(&queue->device->pci, table + (gpa_t)n * DESCRIPTOR_BYTES, bytes, sizeof(bytes))) {
                virtio_fail(queue->device, "queue %u: no memory at descriptor %u", queue->index, n);
                return false;
        }
        to->address = pci_get32(bytes, 0) | (uint64_t)pci_get32(bytes, 4) << 32;
        to->size = pci_get32(bytes, 8);
        to->flags = pci_get16(bytes, packed ? 14 : 12);
        to->link = pci_get16(bytes, packed ? 12 : 14);
        return true;
}

/* -- Making requests ----------------------------------------------------------------------------- */

/* Segments collect on the stack: most requests have a few. */
struct chain {
        struct virtio_queue *queue;
        unsigned out_count, in_count;
        uint64_t out_bytes, in_bytes;
        struct virtio_segment segment[VIRTIO_SEGMENTS_MAX];
};

static bool chain_add(struct chain *chain, const struct descriptor *descriptor)
{
        unsigned n = chain->out_count + chain->in_count;

        if (!descriptor->size)
                return true;                    /* an empty buffer holds nothing */
        if (n == VIRTIO_SEGMENTS_MAX || descriptor->address + descriptor->size < descriptor->address) {
                virtio_fail(chain->queue->device, "queue %u: chain of impossible buffers", chain->queue->index);
                return false;
        }
        if (descriptor->flags & DESC_WRITE) {
                chain->in_count++;
                chain->in_bytes += descriptor->size;
        } else if (chain->in_count) {
                virtio_fail(chain->queue->device, "queue %u: a buffer to read behind one to write", chain->queue->index);
                return false;
        } else {
                chain->out_count++;
                chain->out_bytes += descriptor->size;
        }
        chain->segment[n] = (struct virtio_segment){ descriptor->address, descriptor->size };
        return true;
}

/* An indirect table: in a split queue a chain of its own, in a packed one all entries in order (2.7.5.3, 2.8.8). */
static bool chain_add_indirect(struct chain *chain, const struct descriptor *outer)
{
        struct virtio_queue *queue = chain->queue;
        unsigned entries = outer->size / DESCRIPTOR_BYTES, at = 0;
        bool packed = is_packed(queue);

        if (!virtio_has(queue->device, VIRTIO_F_INDIRECT_DESC) || !entries || outer->size % DESCRIPTOR_BYTES ||
            entries > VIRTIO_SEGMENTS_MAX || (outer->flags & DESC_NEXT)) {
                virtio_fail(queue->device, "queue %u: impossible indirect table of %u bytes", queue->index, outer->size);
                return false;
        }
        for (unsigned walked = 0; walked < entries; walked++) {         /* R1 */
                struct descriptor inner;

                if (!descriptor_get(queue, outer->address, at, &inner))
                        return false;
                if (inner.flags & DESC_INDIRECT) {
                        virtio_fail(queue->device, "queue %u: an indirect table within another", queue->index);
                        return false;
                }
                if (!chain_add(chain, &inner))
                        return false;
                if (packed) {
                        at++;
                        continue;
                }
                if (!(inner.flags & DESC_NEXT))
                        return true;
                at = inner.link;
                if (at >= entries)
                        break;
        }
        if (packed)
                return true;
        virtio_fail(queue->device, "queue %u: an indirect table without end", queue->index);
        return false;
}

static struct virtio_request *chain_finish(const struct chain *chain, uint16_t id, uint16_t slots)
{
        unsigned n = chain->out_count + chain->in_count;
        struct virtio_request *request = g_malloc(sizeof(*request) + n * sizeof(request->segment[0]));

        *request = (struct virtio_request){
                .queue = chain->queue, .generation = chain->queue->device->generation, .id = id, .slots = slots,
                .out_count = chain->out_count, .in_count = chain->in_count,
                .out_bytes = chain->out_bytes, .in_bytes = chain->in_bytes,
        };
        memcpy(request->segment, chain->segment, n * sizeof(request->segment[0]));
        return request;
}

static void chain_begin(struct chain *chain, struct virtio_queue *queue)
{
        chain->queue = queue;
        chain->out_count = chain->in_count = 0;
        chain->out_bytes = chain->in_bytes = 0;
}

/* -- Split: taking ------------------------------------------------------------------------------- */

/* How many heads wait; false: stopped. */
static bool split_waiting(struct virtio_queue *queue, uint16_t *waiting)
{
        uint16_t index;

        if (!ring_get16(queue, queue->driver + AREA_INDEX, &index))
                return false;
        *waiting = (uint16_t)(index - queue->next_avail);
        if (*waiting <= queue->size)
                return true;
        virtio_fail(queue->device, "queue %u: index moved from %u to %u in a ring of %u", queue->index, queue->next_avail,
                    index, queue->size);
        return false;
}

static struct virtio_request *split_pop(struct virtio_queue *queue)
{
        struct chain chain;
        uint16_t head, at;

        if (!ring_get16(queue, queue->driver + AREA_RING + 2u * (queue->next_avail % queue->size), &head))
                return NULL;
        chain_begin(&chain, queue);
        at = head;
        for (unsigned walked = 0;; walked++) {
                struct descriptor descriptor;

                if (at >= queue->size || walked == queue->size) {       /* R1 */
                        virtio_fail(queue->device, "queue %u: a chain %s", queue->index,
                                    at >= queue->size ? "leaves the ring" : "without end");
                        return NULL;
                }
                if (!descriptor_get(queue, queue->descriptors, at, &descriptor))
                        return NULL;
                if (descriptor.flags & DESC_INDIRECT) {
                        if (!chain_add_indirect(&chain, &descriptor))
                                return NULL;
                        break;
                }
                if (!chain_add(&chain, &descriptor))
                        return NULL;
                if (!(descriptor.flags & DESC_NEXT))
                        break;
                at = descriptor.link;
        }
        queue->next_avail++;
        return chain_finish(&chain, head, 1);
}

/* -- Packed: taking ------------------------------------------------------------------------------ */

static bool packed_waiting(struct virtio_queue *queue, bool *waiting)
{
        uint16_t flags;

        if (!ring_get16(queue, queue->descriptors + (gpa_t)queue->next_avail * DESCRIPTOR_BYTES + 14, &flags))
                return false;
        *waiting = !!(flags & DESC_AVAIL) == queue->avail_wrap && !!(flags & DESC_USED) != queue->avail_wrap;
        return true;
}

static void packed_advance(const struct virtio_queue *queue, uint16_t *slot, bool *wrap, unsigned by)
{
        unsigned to = *slot + by;

        if (to >= queue->size) {
                to -= queue->size;
                *wrap = !*wrap;
        }
        *slot = (uint16_t)to;
}

static struct virtio_request *packed_pop(struct virtio_queue *queue)
{
        struct chain chain;
        struct descriptor descriptor;
        uint16_t slot = queue->next_avail;
        bool wrap = queue->avail_wrap;
        unsigned slots = 0;

        chain_begin(&chain, queue);
        do {
                if (slots == queue->size) {                             /* R1 */
                        virtio_fail(queue->device, "queue %u: a chain without end", queue->index);
                        return NULL;
                }
                if (!descriptor_get(queue, queue->descriptors, slot, &descriptor))
                        return NULL;
                if (descriptor.flags & DESC_INDIRECT ? !chain_add_indirect(&chain, &descriptor) : !chain_add(&chain, &descriptor))
                        return NULL;
                packed_advance(queue, &slot, &wrap, 1);
                slots++;
        } while ((descriptor.flags & (DESC_NEXT | DESC_INDIRECT)) == DESC_NEXT);
        queue->next_avail = slot;
        queue->avail_wrap = wrap;
        return chain_finish(&chain, descriptor.link, (uint16_t)slots);
}

/* -- Both ---------------------------------------------------------------------------------------- */

static bool queue_runs(const struct virtio_queue *queue)
{
        return queue->enabled && virtio_is_running(queue->device);
}

static bool queue_waiting(struct virtio_queue *queue, bool *waiting)
{
        uint16_t count;

        if (is_packed(queue))
                return packed_waiting(queue, waiting);
        if (!split_waiting(queue, &count))
                return false;
        *waiting = count != 0;
        return true;
}

/* Tells the driver to notify from the next request on. */
static bool ask_for_notice(struct virtio_queue *queue)
{
        if (!virtio_has(queue->device, VIRTIO_F_EVENT_IDX))
                return true;                    /* it notifies in any case */
        if (!is_packed(queue))
                return ring_put16(queue, queue->device_area + AREA_RING + (gpa_t)queue->size * USED_ENTRY_BYTES, queue->next_avail);
        return ring_put16(queue, queue->device_area + EVENT_OFFSET,
                          (uint16_t)(queue->next_avail | (queue->avail_wrap ? EVENT_WRAP : 0))) &&
               ring_put16(queue, queue->device_area + EVENT_FLAGS, EVENT_DESC);
}

bool virtio_is_empty(struct virtio_queue *queue)
{
        bool waiting;

        if (!queue_runs(queue) || !queue_waiting(queue, &waiting))
                return true;
        if (waiting)
                return false;
        if (!ask_for_notice(queue))
                return true;
        __atomic_thread_fence(__ATOMIC_SEQ_CST);
        return !queue_waiting(queue, &waiting) || !waiting;
}

struct virtio_request *virtio_pop(struct virtio_queue *queue)
{
        struct virtio_request *request;

        if (virtio_is_empty(queue))
                return NULL;
        if (!queue->budget || queue->outstanding >= queue->size) {
                virtio_queue_again(queue, queue->budget ? WAIT_NS : 0);
                return NULL;
        }
        request = is_packed(queue) ? packed_pop(queue) : split_pop(queue);
        if (request) {
                queue->budget--;
                queue->outstanding++;
        }
        return request;
}

bool virtio_has_room(struct virtio_queue *queue, uint64_t bytes)
{
        const struct virtio_queue before = *queue;
        uint64_t room = 0;

        queue->budget = queue->size;
        while (room < bytes) {
                struct virtio_request *request = virtio_pop(queue);

                if (!request)
                        break;
                room += request->in_bytes;
                g_free(request);
        }
        /* Looking moved these; where the driver notifies from, if it is to, stays behind the last one seen. */
        queue->next_avail = before.next_avail;
        queue->avail_wrap = before.avail_wrap;
        queue->outstanding = before.outstanding;
        queue->budget = before.budget;
        return room >= bytes;
}

/* Walks count segments from `segment`, copying [offset, offset + size) of them. */
static size_t copy(const struct virtio_request *request, const struct virtio_segment *segment, unsigned count, uint64_t offset,
                   uint8_t *bytes, size_t size, bool to_guest)
{
        struct virtio_device *device = request->queue->device;
        size_t done = 0;

        if (request->generation != device->generation)
                return 0;                       /* the buffers belong to a driver that is gone */
        for (; count && done < size; count--, segment++) {
                size_t n;

                if (offset >= segment->size) {
                        offset -= segment->size;
                        continue;
                }
                n = MIN(size - done, segment->size - (size_t)offset);
                if (to_guest ? !pci_dma_write(&device->pci, segment->gpa + offset, bytes + done, n)
                             : !pci_dma_read(&device->pci, segment->gpa + offset, bytes + done, n)) {
                        virtio_fail(device, "queue %u: a buffer at %#" G_GINT64_MODIFIER "x is not in memory", request->queue->index,
                                    segment->gpa);
                        return done;
                }
                done += n;
                offset = 0;
        }
        return done;
}

size_t virtio_get(const struct virtio_request *request, uint64_t offset, void *to, size_t size)
{
        return copy(request, request->segment, request->out_count, offset, to, size, false);
}

size_t virtio_put(const struct virtio_request *request, uint64_t offset, const void *from, size_t size)
{
        return copy(request, request->segment + request->out_count, request->in_count, offset, (uint8_t *)from, size, true);
}

/* -- Giving back --------------------------------------------------------------------------------- */

static void split_push(struct virtio_queue *queue, uint16_t id, uint32_t written)
{
        uint8_t entry[USED_ENTRY_BYTES] = { 0 };

        pci_put16(entry, 0, id);
        pci_put32(entry, 4, written);
        if (!ring_put(queue, queue->device_area + AREA_RING + (gpa_t)(queue->next_used % queue->size) * USED_ENTRY_BYTES, entry,
                      sizeof(entry)))
                return;
        queue->next_used++;
        queue->pushed += queue->pushed < UINT32_MAX;
        __atomic_thread_fence(__ATOMIC_RELEASE);
        ring_put16(queue, queue->device_area + AREA_INDEX, queue->next_used);
}

static void packed_push(struct virtio_queue *queue, const struct virtio_request *request, uint32_t written)
{
        gpa_t at = queue->descriptors + (gpa_t)queue->next_used * DESCRIPTOR_BYTES;
        uint8_t entry[6];
        uint16_t flags = (uint16_t)((written ? DESC_WRITE : 0) | (queue->used_wrap ? DESC_AVAIL | DESC_USED : 0));

        pci_put32(entry, 0, written);
        pci_put16(entry, 4, request->id);
        if (!ring_put(queue, at + 8, entry, sizeof(entry)))
                return;
        __atomic_thread_fence(__ATOMIC_RELEASE);
        if (!ring_put16(queue, at + 14, flags))
                return;
        packed_advance(queue, &queue->next_used, &queue->used_wrap, request->slots);
        queue->pushed += MIN(request->slots, UINT32_MAX - queue->pushed);
}

void virtio_push(struct virtio_request *request, uint32_t written)
{
        struct virtio_queue *queue = request->queue;

        if (request->generation == queue->device->generation && queue_runs(queue)) {
                if (is_packed(queue))
                        packed_push(queue, request, written);
                else
                        split_push(queue, request->id, written);
        }
        queue->outstanding--;
        g_free(request);
}

/* Whether `event` lies among what was pushed since `old`, up to but not including `now` (2.7.7.2). */
static bool event_passed(uint16_t event, uint16_t now, uint16_t old)
{
        return (uint16_t)(now - event - 1) < (uint16_t)(now - old);
}

static bool split_wants_interrupt(struct virtio_queue *queue, uint16_t pushed)
{
        uint16_t value;

        if (!virtio_has(queue->device, VIRTIO_F_EVENT_IDX))
                return ring_get16(queue, queue->driver, &value) && !(value & AVAIL_NO_INTERRUPT);
        return ring_get16(queue, queue->driver + AREA_RING + 2u * queue->size, &value) &&
               event_passed(value, queue->next_used, (uint16_t)(queue->next_used - pushed));
}

static bool packed_wants_interrupt(struct virtio_queue *queue, uint16_t pushed)
{
        uint16_t flags, event;

        if (!ring_get16(queue, queue->driver + EVENT_FLAGS, &flags) || (flags & 3) == EVENT_DISABLE)
                return false;
        if ((flags & 3) != EVENT_DESC || !virtio_has(queue->device, VIRTIO_F_EVENT_IDX))
                return true;
        if (!ring_get16(queue, queue->driver + EVENT_OFFSET, &event))
                return false;
        /* Places of the round before lie below 0: positions in one line, as event_passed() wants them. */
        if (!!(event & EVENT_WRAP) != queue->used_wrap)
                event = (uint16_t)((event & ~EVENT_WRAP) - queue->size);
        else
                event &= (uint16_t)~EVENT_WRAP;
        return event_passed(event, queue->next_used, (uint16_t)(queue->next_used - pushed));
}

void virtio_interrupt(struct virtio_queue *queue)
{
        uint32_t pushed = queue->pushed;

        queue->budget = queue->size;
        if (!queue_runs(queue) || !pushed)
                return;
        queue->pushed = 0;
        __atomic_thread_fence(__ATOMIC_SEQ_CST);
        /* After a whole round the event has been passed wherever it is. */
        if (is_packed(queue) ? packed_wants_interrupt(queue, (uint16_t)MIN(pushed, queue->size))
                             : split_wants_interrupt(queue, (uint16_t)MIN(pushed, UINT16_MAX)))
                virtio_queue_raise(queue);
}

/* -- Life ---------------------------------------------------------------------------------------- */

void virtio_queue_reset(struct virtio_queue *queue)
{
        queue->size = queue->size_max;
        queue->vector = 0xffff;
        queue->enabled = false;
        queue->descriptors = queue->driver = queue->device_area = 0;
        queue->next_avail = queue->next_used = 0;
        queue->avail_wrap = queue->used_wrap = true;
        queue->pushed = 0;
        queue->budget = queue->size_max;
}

bool virtio_queue_is_sane(const struct virtio_queue *queue)
{
        uint64_t limit = UINT64_C(1) << 52;     /* beyond any physical address: sums cannot overflow */

        if (!queue->size || queue->size > queue->size_max || queue->descriptors >= limit || queue->driver >= limit ||
            queue->device_area >= limit || queue->descriptors & 15)
                return false;
        if (is_packed(queue))
                return !(queue->driver & 3) && !(queue->device_area & 3) && queue->next_avail < queue->size &&
                       queue->next_used < queue->size;
        return !(queue->size & (queue->size - 1)) && !(queue->driver & 1) && !(queue->device_area & 3);
}
