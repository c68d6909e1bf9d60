using Dataplane.Packets;

namespace Dataplane.Mesh.Xds;

/// <summary>The endpoints of a cluster (envoy.config.endpoint.v3.ClusterLoadAssignment). Immutable.</summary>
/// <param name="Name">Name of the assignment: the cluster's, or the one that the cluster names.</param>
/// <param name="Endpoints">All of them, whatever their health and priority.</param>
internal sealed record XdsAssignment(string Name, IReadOnlyList<XdsEndpoint> Endpoints)
{
    public const string TypeUrl = "type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment";

    /// <summary>Priorities are 0 to 128 (endpoint_components.proto).</summary>
    private const ulong MaxPriority = 128;

    /// <summary>Reads one.</summary>
    /// <param name="message">The message.</param>
    /// <param name="name">Its name, if it is part of a cluster; else it must have one itself.</param>
    /// <exception cref="InvalidDataException">It cannot be read, or says what cannot be; the message says what.</exception>
    public static XdsAssignment Read(ReadOnlySpan<byte> message, string name = "")
    {
        var endpoints = new List<XdsEndpoint>();
        var reader = new ProtobufReader(message);
        while (reader.Next())
        {
            switch (reader.Field)
            {
                case 1 when reader.Text() is { Length: > 0 } own && name.Length == 0:
                    name = own;
                    break;
                case 2:
                    try
                    {
                        ReadLocality(reader.Bytes(), endpoints);
                    }
                    catch (InvalidDataException wrong)
                    {
                        throw new InvalidDataException($"endpoints of {(name.Length > 0 ? name : "a cluster without a name")}: {wrong.Message}", wrong);
                    }

                    break;
            }
        }

        return name.Length > 0 ? new XdsAssignment(name, endpoints) : throw new InvalidDataException("endpoints are of a cluster without a name");
    }

    private static void ReadLocality(ReadOnlySpan<byte> message, List<XdsEndpoint> endpoints)
    {
        XdsLocality place = default;
        ulong priority = 0;
        int first = endpoints.Count;
        var reader = new ProtobufReader(message);
        while (reader.Next())
        {
            switch (reader.Field)
            {
                case 1:
                    place = ReadPlace(reader.Bytes());
                    break;
                case 2:
                    endpoints.Add(ReadEndpoint(reader.Bytes()));
                    break;
                case 5:
                    priority = reader.Number();
                    break;
            }
        }

        if (priority > MaxPriority)
        {
            throw new InvalidDataException($"priority {priority} is not 0 to {MaxPriority}");
        }

        // Fields come in any order: what is true of all is known at the end.
        for (int i = first; i < endpoints.Count; i++)
        {
            endpoints[i] = endpoints[i] with { Priority = (uint)priority, Place = place };
        }
    }

    private static XdsLocality ReadPlace(ReadOnlySpan<byte> message)
    {
        XdsLocality place = default;
        var reader = new ProtobufReader(message);
        while (reader.Next())
        {
            place = reader.Field switch
            {
                1 => place with { Region = reader.Text() },
                2 => place with { Zone = reader.Text() },
                3 => place with { SubZone = reader.Text() },
                _ => place,
            };
        }

        return place;
    }

    private static XdsEndpoint ReadEndpoint(ReadOnlySpan<byte> message)
    {
        (IpAddress? Address, ushort Port, byte Protocol, string Hostname) host = (null, 0, 0, "");
        ulong health = 0, weight = 1;
        var reader = new ProtobufReader(message);
        while (reader.Next())
        {
            switch (reader.Field)
            {
                case 1:
                    host = ReadHost(reader.Bytes());
                    break;
                case 2:
                    health = reader.Number();
                    break;
                case 4:
                    weight = reader.WrappedNumber();
                    break;
                case 5:
                    throw new InvalidDataException($"endpoint \"{reader.Text()}\" is said by its name alone, which is not understood here");
            }
        }

        IpAddress address = host.Address ?? throw new InvalidDataException("an endpoint has no address");
        if (weight is 0 or > uint.MaxValue)
        {
            throw new InvalidDataException($"endpoint {address} port {host.Port}: weight {weight} is not 1 to {uint.MaxValue}");
        }

        // A state that is not known today is none to send new flows to.
        XdsHealth state = health <= (ulong)XdsHealth.Degraded ? (XdsHealth)health : XdsHealth.Unhealthy;
        return new XdsEndpoint(address, host.Port, host.Protocol, (uint)weight, state, 0, default, host.Hostname);
    }

    private static (IpAddress? Address, ushort Port, byte Protocol, string Hostname) ReadHost(ReadOnlySpan<byte> message)
    {
        IpAddress? address = null;
        ushort port = 0;
        byte protocol = 0;
        string hostname = "";
        var reader = new ProtobufReader(message);
        while (reader.Next())
        {
            switch (reader.Field)
            {
                case 1:
                    (address, port, protocol) = ReadAddress(reader.Bytes());
                    break;
                case 3:
                    hostname = reader.Text();
                    break;
            }
        }

        return (address, port, protocol, hostname);
    }

    /// <summary>Reads envoy.config.core.v3.Address, which is one of a socket's, a pipe's and one inside a proxy.</summary>
    private static (IpAddress Address, ushort Port, byte Protocol) ReadAddress(ReadOnlySpan<byte> message)
    {
        var reader = new ProtobufReader(message);
        while (reader.Next())
        {
            if (reader.Field == 1)
            {
                return ReadSocketAddress(reader.Bytes());
            }
        }

        throw new InvalidDataException("the address of an endpoint is not one of a socket");
    }

    private static (IpAddress Address, ushort Port, byte Protocol) ReadSocketAddress(ReadOnlySpan<byte> message)
    {
        string text = "";
        ulong port = 0, protocol = 0;
        var reader = new ProtobufReader(message);
        while (reader.Next())
        {
            switch (reader.Field)
            {
                case 1:
                    protocol = reader.Number();
                    break;
                case 2:
                    text = reader.Text();
                    break;
                case 3:
                    port = reader.Number();
                    break;
            }
        }

        if (!IpAddress.TryParse(text, out IpAddress address))
        {
            throw new InvalidDataException($"\"{text}\" is not an address of an endpoint: names are not looked up here");
        }

        return port is > 0 and <= ushort.MaxValue ? (address, (ushort)port, protocol == 0 ? IpProtocols.Tcp : IpProtocols.Udp)
            : throw new InvalidDataException($"endpoint {address}: port {port} is not 1 to 65535");
    }
}
