using System.Buffers.Binary;
using System.Globalization;
using Dataplane.Snapshots;

namespace Dataplane.Succession;

/// <summary>The first message of a successor: by it the process before knows whether it can hand over to it.</summary>
internal static class SuccessionHello
{
    private const int Version = 2;

    private static ReadOnlySpan<byte> Magic => "dataplane"u8;

    /// <summary>What this version says.</summary>
    public static byte[] Write()
    {
        byte[] body = new byte[Magic.Length + (3 * sizeof(int))];
        Magic.CopyTo(body);
        Span<byte> numbers = body.AsSpan(Magic.Length);
        BinaryPrimitives.WriteInt32LittleEndian(numbers, Version);
        BinaryPrimitives.WriteInt32LittleEndian(numbers[4..], (int)StateWriter.Version);
        BinaryPrimitives.WriteInt32LittleEndian(numbers[8..], SavedFlow.Bytes);
        return body;
    }

    /// <summary>Why a process that says this cannot be handed over to; empty when it can.</summary>
    public static string WhyNot(ReadOnlySpan<byte> body)
    {
        if (!body.StartsWith(Magic) || body.Length != Magic.Length + (3 * sizeof(int)))
        {
            return "it does not speak this hand-over";
        }

        ReadOnlySpan<byte> numbers = body[Magic.Length..];
        int version = BinaryPrimitives.ReadInt32LittleEndian(numbers), state = BinaryPrimitives.ReadInt32LittleEndian(numbers[4..]);
        int bytes = BinaryPrimitives.ReadInt32LittleEndian(numbers[8..]);
        return version != Version ? string.Create(CultureInfo.InvariantCulture, $"hand-over version {version}, the running process has {Version}")
            : state != StateWriter.Version ? string.Create(CultureInfo.InvariantCulture, $"state version {state}, the running process has {StateWriter.Version}")
            : bytes != SavedFlow.Bytes ? string.Create(CultureInfo.InvariantCulture, $"flows of {bytes} bytes, the running process has {SavedFlow.Bytes}")
            : "";
    }
}
