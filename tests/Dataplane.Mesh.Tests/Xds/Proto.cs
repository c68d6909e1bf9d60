using System.Buffers.Binary;
using System.Text;

namespace Dataplane.Mesh.Tests.Xds;

/// <summary>Protocol buffers by another hand than the source's: messages of Envoy's API as fields and bytes, by the numbers of its proto files.</summary>
internal static class Proto
{
    public const string ClusterType = "type.googleapis.com/envoy.config.cluster.v3.Cluster";
    public const string AssignmentType = "type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment";

    public static byte[] Join(params byte[][] parts) => [.. parts.SelectMany(part => part)];

    public static byte[] Number(int field, ulong value) => [.. Varint((ulong)(field * 8)), .. Varint(value)];

    public static byte[] Bytes(int field, byte[] value) => [.. Varint((ulong)((field * 8) + 2)), .. Varint((ulong)value.Length), .. value];

    public static byte[] Text(int field, string value) => Bytes(field, Encoding.UTF8.GetBytes(value));

    /// <summary>A cluster whose endpoints the server tells.</summary>
    public static byte[] Cluster(string name, string assignment = "", ulong policy = 0) =>
        Join(Text(1, name), Number(2, 3), Bytes(3, Join(Bytes(1, Bytes(3, [])), assignment.Length > 0 ? Text(2, assignment) : [])), Bytes(4, Number(1, 5)), Number(6, policy));

    /// <summary>A cluster that has its endpoints itself.</summary>
    public static byte[] StaticCluster(string name, params byte[][] localities) => Join(Bytes(33, Assignment(name, localities)), Text(1, name), Number(2, 0));

    public static byte[] Assignment(string name, params byte[][] localities) => Join([Text(1, name), .. localities.Select(locality => Bytes(2, locality))]);

    public static byte[] Locality(string zone, ulong priority, params byte[][] endpoints) =>
        Join([.. endpoints.Select(endpoint => Bytes(2, endpoint)), Number(5, priority), Bytes(1, Join(Text(1, "north"), Text(2, zone))), Bytes(3, Number(1, 7))]);

    public static byte[] Endpoint(string address, ulong port = 8080, ulong weight = 1, ulong health = 1, ulong protocol = 0) =>
        Join(Bytes(1, Join(Bytes(1, Bytes(1, Join(Number(1, protocol), Text(2, address), Number(3, port)))), Text(3, "host"))), Number(2, health), Bytes(4, Number(1, weight)));

    public static byte[] Response(string type, string version, string nonce, IEnumerable<byte[]> resources, string? resourceType = null) =>
        Join([Text(1, version), .. resources.Select(resource => Bytes(2, Join(Text(1, resourceType ?? type), Bytes(2, resource)))), Text(4, type), Text(5, nonce), Bytes(6, Text(1, "stand-in"))]);

    /// <summary>Takes a message apart: field and bytes, or field and number.</summary>
    public static List<(int Field, byte[] Bytes, ulong Number)> Read(byte[] message)
    {
        var fields = new List<(int, byte[], ulong)>();
        for (int at = 0; at < message.Length;)
        {
            ulong tag = ReadVarint(message, ref at);
            ulong value = ReadVarint(message, ref at);
            byte[] bytes = (tag & 7) switch { 0 => [], 2 => message[at..(at + (int)value)], _ => throw new InvalidDataException($"wire type {tag & 7}") };
            at += bytes.Length;
            fields.Add(((int)(tag >> 3), bytes, value));
        }

        return fields;
    }

    public static byte[] Frame(byte[] message)
    {
        byte[] header = new byte[5];
        BinaryPrimitives.WriteInt32BigEndian(header.AsSpan(1), message.Length);
        return [.. header, .. message];
    }

    private static byte[] Varint(ulong value)
    {
        var bytes = new List<byte>();
        do
        {
            bytes.Add((byte)((value & 127) | (value > 127 ? 128u : 0u)));
            value >>= 7;
        }
        while (value > 0);
        return [.. bytes];
    }

    private static ulong ReadVarint(byte[] message, ref int at)
    {
        ulong value = 0;
        for (int shift = 0; ; shift += 7)
        {
            byte one = message[at++];
            value |= (ulong)(one & 127) << shift;
            if (one < 128)
            {
                return value;
            }
        }
    }
}
