namespace Dataplane.Ports;

/// <summary>Index of a port in the engine, in the order of the configuration (0 to 4095).</summary>
/// <param name="Value">The index.</param>
public readonly record struct PortId(ushort Value)
{
    /// <summary>The largest number of ports an engine can have.</summary>
    public const int MaxPorts = 4096;

    /// <summary>No port: the value of a packet whose way out is not decided.</summary>
    public static PortId None => new(ushort.MaxValue);

    /// <inheritdoc/>
    public override string ToString() => Value == ushort.MaxValue ? "none" : Value.ToString(System.Globalization.CultureInfo.InvariantCulture);
}
