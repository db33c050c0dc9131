package breaker

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"syscall"
)

// The journal is one file: a header of 64 bytes, rewritten in place, and
// records that are only ever appended. The header says how long the records
// are and what their checksums add up to; every record's checksum covers the
// one before it. So a cut at any place, a flipped bit and a lost record are all
// seen. One fsync makes an append durable.
//
//	header: magic[16] length:u64 chain:u32 count:u64 zero[24] crc:u32
//	record: size:u32 chain:u32 bytes[size]

const (
	journalName = "losses.journal"
	headerSize  = 64
	frameSize   = 8
	maxRecord   = 256 << 20
)

var (
	journalMagic = [16]byte{'h', 'o', 'l', 'd', 'f', 'a', 's', 't', ' ', 'l', 'o', 's', 's', 'e', 's', 1}
	castagnoli   = crc32.MakeTable(crc32.Castagnoli)
)

// errDamaged is wrapped by every way a journal can be unreadable.
var errDamaged = errors.New("journal damaged")

// journal is the open file and where its end is.
type journal struct {
	f      *os.File
	length int64 // of the records, without the header
	chain  uint32
	count  uint64
	base   int64 // length after the last compaction
	buf    []byte
}

func encodeHeader(length int64, chain uint32, count uint64) []byte {
	h := make([]byte, headerSize)
	copy(h, journalMagic[:])
	binary.BigEndian.PutUint64(h[16:], uint64(length))
	binary.BigEndian.PutUint32(h[24:], chain)
	binary.BigEndian.PutUint64(h[28:], count)
	binary.BigEndian.PutUint32(h[60:], crc32.Checksum(h[:60], castagnoli))
	return h
}

// replayJournal applies a journal to a model.
func replayJournal(data []byte, m *Model) (*journal, error) {
	m.reading = survey(data)
	defer func() { m.reading = nil }()
	return scanJournal(data, m.Replay)
}

// survey walks a journal's frames and reads no more than which charges were
// released and when the last record was written. On a damaged journal it says
// less, and the scan says why.
func survey(data []byte) *reading {
	r := &reading{released: map[string]bool{}}
	if len(data) < headerSize {
		return r
	}
	var last []byte
	for body := data[headerSize:]; ; {
		size, _, ok := readFrame(body)
		if !ok || size == 0 {
			break
		}
		last = body[frameSize : frameSize+size]
		if RecordKind(last[0]) == RecordRelease {
			if rec, err := decodeRecord(last, nil); err == nil {
				r.released[rec.ID] = true
			}
		}
		body = body[frameSize+size:]
	}
	if rec, err := decodeRecord(last, nil); err == nil {
		r.recent = rec.At - hour.Milliseconds()
	}
	return r
}

// scanJournal reads a whole journal and hands its records to apply. Whatever
// is wrong with it is an error that wraps errDamaged.
func scanJournal(data []byte, apply func(*Record)) (*journal, error) {
	if len(data) < headerSize || !bytes.Equal(data[:16], journalMagic[:]) {
		return nil, fmt.Errorf("%w: it has no header", errDamaged)
	}
	h := data[:headerSize]
	if !bytes.Equal(h, encodeHeader(int64(binary.BigEndian.Uint64(h[16:])), binary.BigEndian.Uint32(h[24:]), binary.BigEndian.Uint64(h[28:]))) {
		return nil, fmt.Errorf("%w: the header's checksum is wrong", errDamaged)
	}
	length, body := binary.BigEndian.Uint64(h[16:]), data[headerSize:]
	if length > uint64(len(body)) {
		return nil, fmt.Errorf("%w: it is cut, %d of %d bytes are left", errDamaged, len(body), length)
	}
	s := &scan{j: &journal{}, length: int64(length), chain: binary.BigEndian.Uint32(h[24:]), count: binary.BigEndian.Uint64(h[28:])}
	if err := s.all(body, apply); err != nil {
		return nil, err
	}
	if s.j.count == 0 {
		return nil, fmt.Errorf("%w: it has no records", errDamaged)
	}
	return s.j, nil
}

// scan reads records. What the header says of them is checked on the way.
type scan struct {
	j      *journal
	length int64
	chain  uint32
	count  uint64
}

const batchSize = 512 // records that are handed on together

// all decodes ahead of what is applied: at a start a long journal is read by
// one core and replayed by another.
func (s *scan) all(body []byte, apply func(*Record)) error {
	batches, empty := make(chan []Record, 4), make(chan []Record, 4)
	var failed error
	go func() {
		defer close(batches)
		d := &reader{seen: map[string]string{}}
		for len(body) > 0 && failed == nil {
			var batch []Record
			select {
			case batch = <-empty:
			default:
				batch = make([]Record, 0, min(batchSize, len(body)/frameSize+1))
			}
			for len(body) > 0 && len(batch) < batchSize && failed == nil {
				var r Record
				if r, body, failed = s.next(body, d); failed == nil {
					batch = append(batch, r)
				}
			}
			batches <- batch
		}
	}()
	for batch := range batches {
		for i := range batch {
			apply(&batch[i])
		}
		select {
		case empty <- batch[:0]:
		default:
		}
	}
	return failed
}

// next reads one record. Behind the header's length stands at most what a crash
// kept from being counted: whole records are taken, anything else is damage.
func (s *scan) next(body []byte, d *reader) (Record, []byte, error) {
	j := s.j
	size, chain, ok := readFrame(body)
	if !ok || crc32.Update(j.chain, castagnoli, body[frameSize:frameSize+size]) != chain {
		return Record{}, nil, fmt.Errorf("%w: record %d at byte %d is torn or changed", errDamaged, j.count+1, headerSize+j.length)
	}
	r, err := d.record(body[frameSize : frameSize+size])
	if err != nil {
		return r, nil, fmt.Errorf("%w: record %d at byte %d: %w", errDamaged, j.count+1, headerSize+j.length, err)
	}
	j.chain, j.count, j.length = chain, j.count+1, j.length+int64(frameSize+size)
	if j.length == s.length && (j.chain != s.chain || j.count != s.count) {
		return r, nil, fmt.Errorf("%w: its records are not those the header counts", errDamaged)
	}
	return r, body[frameSize+size:], nil
}

// readFrame returns the size and checksum of the record at the start of b, if
// b holds all of it.
func readFrame(b []byte) (size int, chain uint32, ok bool) {
	if len(b) < frameSize {
		return 0, 0, false
	}
	n := binary.BigEndian.Uint32(b)
	if n > maxRecord || int(n) > len(b)-frameSize {
		return 0, 0, false
	}
	return int(n), binary.BigEndian.Uint32(b[4:]), true
}

// frame appends records to buf as the journal holds them.
func (j *journal) frame(buf []byte, records []Record) ([]byte, uint32) {
	chain := j.chain
	for i := range records {
		start := len(buf)
		buf = append(buf, make([]byte, frameSize)...)
		buf = appendRecord(buf, &records[i])
		body := buf[start+frameSize:]
		chain = crc32.Update(chain, castagnoli, body)
		binary.BigEndian.PutUint32(buf[start:], uint32(len(body)))
		binary.BigEndian.PutUint32(buf[start+4:], chain)
	}
	return buf, chain
}

// append writes records and, if sync is set, waits until they are on disk. After
// an error the file is as before, or the next append repairs it.
func (j *journal) append(records []Record, sync bool) error {
	buf, chain := j.frame(j.buf[:0], records)
	j.buf = buf[:0]
	if _, err := j.f.WriteAt(buf, headerSize+j.length); err != nil {
		return errors.Join(fmt.Errorf("journal: write: %w", err), j.f.Truncate(headerSize+j.length))
	}
	length, count := j.length+int64(len(buf)), j.count+uint64(len(records))
	if _, err := j.f.WriteAt(encodeHeader(length, chain, count), 0); err != nil {
		return fmt.Errorf("journal: write header: %w", err)
	}
	j.length, j.chain, j.count = length, chain, count
	if !sync {
		return nil
	}
	if err := j.f.Sync(); err != nil {
		return fmt.Errorf("journal: fsync: %w", err)
	}
	return nil
}

// createJournal writes a new journal of these records in one step: nobody ever
// sees half of it.
func createJournal(dir string, records []Record) (*journal, error) {
	path := filepath.Join(dir, journalName)
	tmp := path + ".new"
	f, err := os.OpenFile(tmp, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return nil, fmt.Errorf("journal: create: %w", err)
	}
	j := &journal{f: f}
	if err := errors.Join(lock(f), j.append(records, true), os.Rename(tmp, path), syncDir(dir)); err != nil {
		return nil, errors.Join(fmt.Errorf("journal: create: %w", err), f.Close())
	}
	j.base = j.length
	return j, nil
}

// openJournal reads the journal in dir and keeps it open for appending.
func openJournal(dir string, m *Model) (*journal, error) {
	f, err := os.OpenFile(filepath.Join(dir, journalName), os.O_RDWR, 0)
	if errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("%w: it is missing", errDamaged)
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errDamaged, err)
	}
	if err := lock(f); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	data, err := io.ReadAll(f)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%w: %w", errDamaged, err), f.Close())
	}
	j, err := replayJournal(data, m)
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	j.f, j.base = f, j.length
	return j, nil
}

// errBusy means that another process has the journal open.
var errBusy = errors.New("another process has the journal open")

// lock keeps a second process out. The kernel drops it with the process.
func lock(f *os.File) error {
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return fmt.Errorf("breaker: %w: %w", errBusy, err)
	}
	return nil
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// previousName is the journal before the last compaction, kept for simulations.
const previousName = journalName + ".previous"

// ReadJournal hands every record of the journal in dir to fn, oldest first. It
// changes nothing and may run beside a daemon.
func ReadJournal(dir string, fn func(Record) error) error {
	return readJournal(filepath.Join(dir, journalName), fn)
}

// ReadHistory is ReadJournal with what the journal held before it was last
// compacted, as far as that is kept.
func ReadHistory(dir string, fn func(Record) error) error {
	if err := readJournal(filepath.Join(dir, previousName), fn); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return ReadJournal(dir, fn)
}

func readJournal(path string, fn func(Record) error) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("breaker: read journal: %w", err)
	}
	var failed error
	_, err = scanJournal(data, func(r *Record) {
		if failed == nil {
			failed = fn(*r)
		}
	})
	if failed != nil {
		return failed
	}
	if err != nil {
		return fmt.Errorf("breaker: read journal: %w", err)
	}
	return nil
}
