namespace Dataplane.Configuration;

/// <summary>What shares one broadcast domain: a port, and the VLAN on it.</summary>
/// <param name="Port">Name of the port.</param>
/// <param name="Vlan">VLAN identifier; 0: untagged.</param>
internal readonly record struct Link(string Port, int Vlan)
{
    public override string ToString() =>
        Vlan == 0 ? $"port {Port}" : string.Create(System.Globalization.CultureInfo.InvariantCulture, $"port {Port}, VLAN {Vlan}");
}
