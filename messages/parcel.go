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

// AppendParcel encodes a parcel behind others: exchange, key, content type and
// body, each with its length before it.
func AppendParcel(to []byte, p Parcel) ([]byte, error) {
	contentType, body, err := Encode(p.Message)
	if err != nil {
		return to, err
	}
	for _, field := range [][]byte{[]byte(p.Exchange), []byte(p.Key), []byte(contentType), body} {
		to = binary.AppendUvarint(to, uint64(len(field)))
		to = append(to, field...)
	}
	return to, nil
}

// DecodeParcels is the inverse of [AppendParcel], for all that stand behind one
// another. The body may be anything: an error is [attune.Invalid].
func DecodeParcels(body []byte) ([]Parcel, error) {
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
