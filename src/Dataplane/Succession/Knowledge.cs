using System.Buffers.Binary;
using Dataplane.Balancing;
using Dataplane.Hashing;
using Dataplane.Packets;
using Dataplane.Routing;

namespace Dataplane.Succession;

/// <summary>What a process knows beside flows and neighbours, for its successor: routes learnt, backends found down, and where clients with affinity went. Layout in <c>docs/STATE.md</c>.</summary>
/// <remarks>Everything is named by what it is: what the successor's configuration does not have is left out. Ends in a CRC-32C of all before.</remarks>
internal sealed class Knowledge
{
    private const uint Version = 1;
    private const int MostBackends = 1 << 20;

    /// <summary>Routes that came while running.</summary>
    public List<RouteSpec> Routes { get; } = [];

    /// <summary>Backends that are down, and why.</summary>
    public List<(BackendSlots.Identity Identity, string Reason)> Down { get; } = [];

    /// <summary>Clients of services: the service without backend, its backends by number, and the table's words with such numbers and ages in seconds.</summary>
    public List<(BackendSlots.Identity Service, List<BackendSlots.Identity> Backends, List<AffinityEntry> Clients)> Affinities { get; } = [];

    /// <summary>Of the hashes that clients are remembered by.</summary>
    public ulong Seed { get; init; }

    /// <summary>The service of an identity.</summary>
    public static BackendSlots.Identity ServiceOf(BackendSlots.Identity backend) => backend with { Address = default, Port = 0 };

    /// <summary>Everything as bytes.</summary>
    public byte[] ToBytes()
    {
        using var bytes = new MemoryStream();
        using var writer = new BinaryWriter(bytes);
        writer.Write(Version);
        writer.Write(Seed);
        writer.Write(Routes.Count);
        Routes.ForEach(route => WriteRoute(writer, route));
        writer.Write(Down.Count);
        foreach ((BackendSlots.Identity identity, string reason) in Down)
        {
            WriteIdentity(writer, identity);
            writer.Write(reason);
        }

        writer.Write(Affinities.Count);
        foreach ((BackendSlots.Identity service, List<BackendSlots.Identity> backends, List<AffinityEntry> clients) in Affinities)
        {
            WriteIdentity(writer, service);
            writer.Write(backends.Count);
            backends.ForEach(backend => WriteIdentity(writer, backend));
            writer.Write(clients.Count);
            foreach (AffinityEntry client in clients)
            {
                writer.Write(client.Place);
                writer.Write(client.Tag);
                writer.Write(client.Slot);
                writer.Write(client.AgeSeconds);
            }
        }

        writer.Flush();
        writer.Write(Crc32C.Checksum(bytes.GetBuffer().AsSpan(0, (int)bytes.Length)));
        writer.Flush();
        return bytes.ToArray();
    }

    /// <summary>Reads what <see cref="ToBytes"/> has written.</summary>
    /// <exception cref="SuccessionException">It is of another version, damaged, or says what cannot be.</exception>
    public static Knowledge FromBytes(byte[] bytes)
    {
        int end = bytes.Length - sizeof(uint);
        if (end < sizeof(uint) || Crc32C.Checksum(bytes.AsSpan(0, end)) != BinaryPrimitives.ReadUInt32LittleEndian(bytes.AsSpan(end)))
        {
            throw new SuccessionException("what it knows is damaged");
        }

        try
        {
            using var reader = new BinaryReader(new MemoryStream(bytes, 0, end));
            if (reader.ReadUInt32() != Version)
            {
                throw new SuccessionException("what it knows is written in another version");
            }

            var read = new Knowledge { Seed = reader.ReadUInt64() };
            for (int left = ReadCount(reader); left > 0; left--)
            {
                read.Routes.Add(ReadRoute(reader));
            }

            for (int left = ReadCount(reader); left > 0; left--)
            {
                read.Down.Add((ReadIdentity(reader), reader.ReadString()));
            }

            for (int left = ReadCount(reader); left > 0; left--)
            {
                read.Affinities.Add(ReadAffinity(reader));
            }

            return reader.BaseStream.Position == end ? read : throw new FormatException();
        }
        catch (Exception wrong) when (wrong is IOException or FormatException or ArgumentException)
        {
            throw new SuccessionException("what it knows says what cannot be");
        }
    }

    private static int ReadCount(BinaryReader reader) => reader.ReadInt32() is var count and >= 0 ? count : throw new FormatException();

    private static (BackendSlots.Identity Service, List<BackendSlots.Identity> Backends, List<AffinityEntry> Clients) ReadAffinity(BinaryReader reader)
    {
        BackendSlots.Identity service = ReadIdentity(reader);
        int backends = reader.ReadInt32();
        if (backends is < 0 or > MostBackends)
        {
            throw new FormatException();
        }

        List<BackendSlots.Identity> named = [];
        for (int left = backends; left > 0; left--)
        {
            named.Add(ReadIdentity(reader));
        }

        List<AffinityEntry> clients = [];
        for (int left = ReadCount(reader); left > 0; left--)
        {
            var client = new AffinityEntry(reader.ReadInt32(), reader.ReadInt32(), reader.ReadInt32(), reader.ReadInt32());
            if ((uint)client.Slot >= (uint)backends || (uint)client.Place >= AffinityTable.Capacity || client.AgeSeconds < 0)
            {
                throw new FormatException();
            }

            clients.Add(client);
        }

        return (service, named, clients);
    }

    private static void WriteRoute(BinaryWriter writer, RouteSpec route)
    {
        WriteAddress(writer, route.To.Address);
        writer.Write((byte)route.To.Length);
        writer.Write((byte)route.Reject);
        writer.Write(route.Via.Count);
        foreach (NextHopSpec hop in route.Via)
        {
            WriteAddress(writer, hop.Address ?? default);
            writer.Write(hop.Port);
            writer.Write(hop.Vlan);
            writer.Write(hop.Weight);
        }
    }

    private static RouteSpec ReadRoute(BinaryReader reader)
    {
        var to = new IpPrefix(ReadAddress(reader), reader.ReadByte());
        var reject = (RouteReject)reader.ReadByte();
        if (!Enum.IsDefined(reject))
        {
            throw new FormatException();
        }

        List<NextHopSpec> via = [];
        for (int left = ReadCount(reader); left > 0; left--)
        {
            IpAddress address = ReadAddress(reader);
            via.Add(new NextHopSpec { Address = address.IsNone ? null : address, Port = reader.ReadString(), Vlan = reader.ReadInt32(), Weight = reader.ReadInt32() });
        }

        return new RouteSpec { To = to, Via = via, Reject = reject };
    }

    private static void WriteIdentity(BinaryWriter writer, BackendSlots.Identity identity)
    {
        WriteAddress(writer, identity.Service);
        writer.Write(identity.ServicePort);
        writer.Write(identity.Protocol);
        WriteAddress(writer, identity.Address);
        writer.Write(identity.Port);
        writer.Write(identity.ServicePrefix);
        writer.Write(identity.ServiceLastPort);
    }

    private static BackendSlots.Identity ReadIdentity(BinaryReader reader) => new(ReadAddress(reader), reader.ReadUInt16(), reader.ReadByte(), ReadAddress(reader), reader.ReadUInt16(),
        ServicePrefix: reader.ReadByte(), ServiceLastPort: reader.ReadUInt16());

    private static void WriteAddress(BinaryWriter writer, IpAddress address)
    {
        writer.Write((byte)(address.IsNone ? 0 : address.IsIpv4 ? 4 : 6));
        writer.Write(address.High);
        writer.Write(address.Low);
    }

    private static IpAddress ReadAddress(BinaryReader reader)
    {
        byte family = reader.ReadByte();
        ulong high = reader.ReadUInt64(), low = reader.ReadUInt64();
        return family switch { 0 => default, 4 => IpAddress.FromV4((uint)low), 6 => IpAddress.FromV6(high, low), _ => throw new FormatException() };
    }
}
