package messages

import (
	"encoding/binary"
	"fmt"

	"github.com/attune-automation/attune"
)

// Parcel is a message with where it is sent to: what crosses by a way that has
// no exchanges of its own.
type Parcel struct {
	Exchange Exchange
	Key      string
	Message  any
}

// ParcelsType is the content type of encoded parcels.
const ParcelsType = "application/vnd.attune.parcels"

// MaxParcels is the most parcels that are encoded together.
const MaxParcels = 100

// parcelsVersion is the first byte of encoded parcels.
const parcelsVersion = 1

// EncodeParcels encodes parcels, which may be none: a version, and of each its
// exchange, key, content type and body with their lengths before them.
func EncodeParcels(all []Parcel) ([]byte, error) {
	out := []byte{parcelsVersion}
	for _, p := range all {
		contentType, body, err := Encode(p.Message)
		if err != nil {
			return nil, err
		}
		for _, field := range [][]byte{[]byte(p.Exchange), []byte(p.Key), []byte(contentType), body} {
			out = binary.AppendUvarint(out, uint64(len(field)))
			out = append(out, field...)
		}
	}
	return out, nil
}

// DecodeParcels is the inverse of [EncodeParcels]. The body may be anything: an
// error is [attune.Invalid].
func DecodeParcels(body []byte) ([]Parcel, error) {
	if len(body) == 0 || body[0] != parcelsVersion {
		return nil, noParcels("their version is not known here")
	}
	body = body[1:]
	var all []Parcel
	for len(body) > 0 {
		if len(all) == MaxParcels {
			return nil, noParcels(fmt.Sprintf("there are more than %d", MaxParcels))
		}
		var fields [4][]byte
		for i := range fields {
			length, n := binary.Uvarint(body)
			if n <= 0 || length > uint64(len(body)-n) {
				return nil, noParcels("one is cut off")
			}
			body = body[n:]
			fields[i], body = body[:length], body[length:]
		}
		m, err := Decode(string(fields[2]), fields[3])
		if err != nil {
			return nil, err
		}
		all = append(all, Parcel{Exchange: Exchange(fields[0]), Key: string(fields[1]), Message: m})
	}
	return all, nil
}

func noParcels(why string) error {
	return attune.NewError(attune.Invalid, "invalid_parcels", "the parcels cannot be read: "+why)
}
