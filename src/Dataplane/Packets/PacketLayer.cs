namespace Dataplane.Packets;

/// <summary>One layer of a packet under construction: how it is announced by the layer before, how long it is, and how it writes itself.</summary>
internal abstract class PacketLayer
{
    /// <summary>Protocol for experiments (RFC 3692); announced for a payload whose protocol nobody stated.</summary>
    public const byte ExperimentalProtocol = 253;

    /// <summary>EtherType for local experiments (IEEE 802); announced for a payload whose type nobody stated.</summary>
    public const ushort ExperimentalEtherType = 0x88B5;

    /// <summary>What this layer says comes behind it, when the caller stated it.</summary>
    public ushort? Carried { get; set; }

    /// <summary>The layer behind; null for the innermost.</summary>
    public PacketLayer? Inner { get; set; }

    /// <summary>Bytes of this layer without what is behind it.</summary>
    public abstract int LengthBytes { get; }

    /// <summary>How a link layer announces this layer.</summary>
    public virtual ushort EtherType => ExperimentalEtherType;

    /// <summary>How an IP or extension header announces this layer.</summary>
    public virtual byte Protocol => ExperimentalProtocol;

    /// <summary>Whether other layers may stand behind this one.</summary>
    public virtual bool IsContainer => true;

    /// <summary>The EtherType of what comes behind.</summary>
    protected ushort CarriedEtherType => Carried ?? Inner?.EtherType ?? ExperimentalEtherType;

    /// <summary>The protocol number of what comes behind.</summary>
    protected byte CarriedProtocol => (byte)(Carried ?? Inner?.Protocol ?? IpProtocols.NoNextHeader);

    /// <summary>Writes this layer; what is behind stands there already.</summary>
    /// <param name="bytes">From the first byte of this layer to the end of the packet, link padding left out.</param>
    public abstract void Write(Span<byte> bytes);
}
