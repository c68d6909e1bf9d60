namespace Dataplane.Packets;

/// <summary>In-place writer of an Ethernet header; tags are neither added nor removed.</summary>
public readonly ref struct EthernetEditor
{
    private readonly Span<byte> _bytes;

    private EthernetEditor(Span<byte> bytes) => _bytes = bytes;

    /// <summary>Station the frame is for.</summary>
    public MacAddress Destination
    {
        get => MacAddress.Read(_bytes[EthernetView.Field.Destination..]);
        set => value.Write(_bytes[EthernetView.Field.Destination..]);
    }

    /// <summary>Station the frame is from.</summary>
    public MacAddress Source
    {
        get => MacAddress.Read(_bytes[EthernetView.Field.Source..]);
        set => value.Write(_bytes[EthernetView.Field.Source..]);
    }

    /// <summary>Makes an editor over a frame <see cref="EthernetView.TryParse"/> accepts.</summary>
    /// <returns>False for any other bytes.</returns>
    public static bool TryCreate(Span<byte> bytes, out EthernetEditor editor)
    {
        bool valid = EthernetView.TryParse(bytes, out _);
        editor = valid ? new EthernetEditor(bytes) : default;
        return valid;
    }

    /// <summary>Rewrites priority, drop eligibility and identifier of an existing tag; its TPID stays.</summary>
    /// <param name="index">0 is the outermost tag.</param>
    /// <param name="tag">The new values.</param>
    /// <returns>False when there is no tag at <paramref name="index"/>.</returns>
    public bool TrySetVlanTag(int index, VlanTag tag)
    {
        // Tags precede each other without a gap, so each TPID on the way must announce one more.
        int offset = EthernetView.Field.Type;
        for (int tags = 0; offset + VlanTag.LengthBytes + 2 <= _bytes.Length && EtherTypes.IsVlan(NetworkOrder.ReadUInt16(_bytes, offset)); tags++)
        {
            if (tags == index)
            {
                NetworkOrder.WriteUInt16(_bytes, offset + 2, tag.Control);
                return true;
            }

            offset += VlanTag.LengthBytes;
        }

        return false;
    }

    /// <summary>Exchanges source and destination, as a reply does.</summary>
    public void SwapAddresses()
    {
        MacAddress destination = Destination;
        Destination = Source;
        Source = destination;
    }
}
