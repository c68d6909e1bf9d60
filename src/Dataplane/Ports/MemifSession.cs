using System.Runtime.InteropServices;
using System.Text;
using Dataplane.Native;
using Dataplane.Native.Abi;

namespace Dataplane.Ports;

/// <summary>One connection from its first message to its last: a state machine that takes messages and says what to answer. It does not touch the socket.</summary>
/// <remarks>
/// Every field of every message is checked before it is used, and every message that is not the next one expected ends the
/// session with a reason. What a session has been handed belongs to it until <see cref="Connection"/> takes it over.
/// </remarks>
internal abstract class MemifSession : IDisposable
{
    /// <summary>The connection, once both sides have agreed; null until then.</summary>
    public MemifConnection? Connection { get; protected set; }

    /// <summary>The port the session is for; on the server's side null until the client has named it.</summary>
    public MemifSettings? Settings { get; protected set; }

    /// <summary>Why the peer disconnected, in its own words; letters, digits and such only.</summary>
    public string PeerText { get; private set; } = "";

    /// <summary>Takes one message.</summary>
    /// <param name="bytes">What came; only 128 bytes make a message.</param>
    /// <param name="length">How long it was before it was cut to what fits.</param>
    /// <param name="passed">The descriptor that came along; the session owns it from here on.</param>
    /// <param name="descriptors">How many came along.</param>
    /// <param name="reply">What to send back; nothing when its type is NONE.</param>
    /// <param name="replyDescriptor">The descriptor to send along; it stays the session's.</param>
    /// <returns>Why the session ends, or <see cref="MemifReason.None"/>.</returns>
    public MemifReason Take(
        ReadOnlySpan<byte> bytes, int length, FileDescriptor? passed, int descriptors, out memif_msg reply, out FileDescriptor? replyDescriptor)
    {
        reply = default;
        replyDescriptor = null;
        MemifReason reason = Take(bytes, length, ref passed, descriptors, ref reply, ref replyDescriptor);
        passed?.Dispose();
        return reason;
    }

    /// <summary>A message that ends a connection.</summary>
    public static memif_msg Disconnection(MemifReason reason)
    {
        memif_msg message = new() { type = Memif.MEMIF_MSG_TYPE_DISCONNECT, disconnect = { code = (uint)reason } };
        Write(message.disconnect.text, MemifReasons.TextOf(reason));
        return message;

        static void Write(Span<byte> field, string text) => Encoding.ASCII.GetBytes(text.AsSpan(0, Math.Min(text.Length, field.Length - 1)), field);
    }

    /// <summary>Gives back what was handed over and not taken into a connection.</summary>
    public abstract void Dispose();

    /// <summary>The message expected next, or any that a misbehaving peer sends.</summary>
    protected abstract MemifReason Take(in memif_msg message, ref FileDescriptor? passed, ref memif_msg reply, ref FileDescriptor? replyDescriptor);

    /// <summary>Writes a name into a message, cut to fit with its zero.</summary>
    protected static void WriteName(Span<byte> field, string text)
    {
        field.Clear();
        Encoding.UTF8.GetBytes(text.AsSpan(0, Math.Min(text.Length, field.Length / 3)), field);
    }

    private MemifReason Take(
        ReadOnlySpan<byte> bytes, int length, ref FileDescriptor? passed, int descriptors, ref memif_msg reply, ref FileDescriptor? replyDescriptor)
    {
        if (length != memif_msg.Bytes || bytes.Length < memif_msg.Bytes)
            return MemifReason.MessageLength;
        memif_msg message = MemoryMarshal.Read<memif_msg>(bytes);
        if (message.type is Memif.MEMIF_MSG_TYPE_NONE or > Memif.MEMIF_MSG_TYPE_DISCONNECT)
            return MemifReason.UnknownMessage;
        bool wantsDescriptor = message.type is Memif.MEMIF_MSG_TYPE_ADD_REGION or Memif.MEMIF_MSG_TYPE_ADD_RING;
        if (wantsDescriptor && descriptors == 0)
            return MemifReason.DescriptorMissing;
        if (descriptors > (wantsDescriptor ? 1 : 0) || (wantsDescriptor && passed is null))
            return MemifReason.DescriptorUnexpected;
        if (message.type == Memif.MEMIF_MSG_TYPE_DISCONNECT)
        {
            PeerText = Printable(message.disconnect.text);
            return MemifReason.PeerDisconnected;
        }

        return Connection is null ? Take(in message, ref passed, ref reply, ref replyDescriptor) : MemifReason.UnexpectedMessage;
    }

    private static string Printable(ReadOnlySpan<byte> field)
    {
        int end = field.IndexOf((byte)0);
        var text = new StringBuilder();
        foreach (byte letter in end < 0 ? field : field[..end])
            text.Append(letter is >= (byte)' ' and <= (byte)'~' ? (char)letter : '?');
        return text.ToString();
    }
}
