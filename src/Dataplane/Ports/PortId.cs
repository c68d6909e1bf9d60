namespace Dataplane.Ports;

/// <summary>Index of a port in the engine, in the order of the configuration (0 to 254).</summary>
/// <param name="Value">The index.</param>
public readonly record struct PortId(byte Value)
{
    /// <summary>The largest number of ports an engine can have.</summary>
    public const int MaxPorts = 255;

    /// <summary>No port: the value of a packet whose way out is not decided.</summary>
    public static PortId None => new(255);

    /// <inheritdoc/>
    public override string ToString() => Value == 255 ? "none" : Value.ToString(System.Globalization.CultureInfo.InvariantCulture);
}
