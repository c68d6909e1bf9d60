namespace Dataplane.Packets;

/// <summary>One VLAN tag (IEEE 802.1Q, 9.6): the protocol identifier and the 16 bits of control information behind it.</summary>
/// <remarks>
/// <code>
///  0                   1                   2                   3
/// +-------------------------------+-----+-+-----------------------+
/// |             TPID              | PCP |D|        VLAN id        |
/// +-------------------------------+-----+-+-----------------------+
/// </code>
/// </remarks>
public readonly record struct VlanTag
{
    /// <summary>Bytes one tag adds to a frame (4).</summary>
    public const int LengthBytes = 4;

    /// <summary>The largest value of the 12-bit identifier field (4095, reserved); usable VLANs are 1 to 4094.</summary>
    public const ushort MaxId = 0x0FFF;

    /// <summary>Makes a tag.</summary>
    /// <param name="id">VLAN identifier, 0 (priority tag) to 4095.</param>
    /// <param name="priority">Priority code point, 0 to 7.</param>
    /// <param name="dropEligible">Drop eligible indicator.</param>
    /// <param name="protocol">TPID: <see cref="EtherTypes.Vlan"/> or <see cref="EtherTypes.ServiceVlan"/>.</param>
    /// <exception cref="ArgumentOutOfRangeException">A value outside its range.</exception>
    public VlanTag(ushort id, byte priority = 0, bool dropEligible = false, ushort protocol = EtherTypes.Vlan)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(id, MaxId);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(priority, 7);
        if (!EtherTypes.IsVlan(protocol))
        {
            throw new ArgumentOutOfRangeException(nameof(protocol), protocol, "A VLAN tag's TPID is 0x8100 (802.1Q) or 0x88a8 (802.1ad).");
        }

        Protocol = protocol;
        Control = (ushort)((priority << 13) | (dropEligible ? 0x1000 : 0) | id);
    }

    private VlanTag(ushort protocol, ushort control)
    {
        Protocol = protocol;
        Control = control;
    }

    /// <summary>The TPID that announced the tag.</summary>
    public ushort Protocol { get; }

    /// <summary>The 16 bits of tag control information (TCI), host order.</summary>
    public ushort Control { get; }

    /// <summary>VLAN identifier, 0 to 4095; 0 means the tag carries a priority only.</summary>
    public ushort Id => (ushort)(Control & MaxId);

    /// <summary>Priority code point, 0 to 7.</summary>
    public byte Priority => (byte)(Control >> 13);

    /// <summary>Drop eligible indicator.</summary>
    public bool DropEligible => (Control & 0x1000) != 0;

    /// <summary>A tag from the bits on the wire; never throws, so a view can use it on anything.</summary>
    public static VlanTag FromControl(ushort protocol, ushort control) => new(protocol, control);
}
