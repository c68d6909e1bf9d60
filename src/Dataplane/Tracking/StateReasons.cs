namespace Dataplane.Tracking;

/// <summary>What is said of a <see cref="StateReason"/>.</summary>
internal static class StateReasons
{
    /// <summary>Number of reasons.</summary>
    public const int Count = (int)StateReason.QuotesOther + 1;

    private static readonly (string Name, string Text)[] s_texts =
    [
        ("none", "the state was not asked for"),
        ("unknown", "it begins a connection"),
        ("unanswered", "of a connection that has not been answered yet"),
        ("answered", "of a connection that has been answered"),
        ("picked_up", "in the middle of a connection that is picked up here"),
        ("reopens", "a SYN behind the end of the connection of these ports"),
        ("challenge", "passes for the receiver to challenge, and changes nothing about the connection"),
        ("quotes_connection", "an ICMP error about a packet of a known connection"),
        ("bad_flags", "TCP flags that no sender sets together"),
        ("no_connection", "a TCP segment other than SYN of no known connection"),
        ("out_of_turn", "not what the handshake or the end of the connection leaves to be sent"),
        ("above_window", "TCP data beyond the window of the receiver"),
        ("below_window", "TCP data too old to be sent again"),
        ("acknowledges_unsent", "acknowledges what has never been sent"),
        ("acknowledges_old", "acknowledges what was acknowledged long ago"),
        ("reset_out_of_window", "a TCP reset outside the window"),
        ("unasked_answer", "an answer that nobody has asked for"),
        ("quotes_nothing", "an ICMP error that quotes no known connection"),
        ("quotes_out_of_window", "an ICMP error that quotes a TCP segment which cannot be on its way"),
        ("quotes_other", "an ICMP error to another host than the one whose packet it quotes"),
    ];

    /// <summary>The state that goes with a reason; of reasons that go with two, the one of a connection without an answer.</summary>
    public static bool IsInvalid(StateReason reason) => reason >= StateReason.BadFlags;

    /// <summary>Name in metrics and explanations.</summary>
    public static string NameOf(StateReason reason) => s_texts[(int)reason].Name;

    /// <summary>A clause for explanations.</summary>
    public static string TextOf(StateReason reason) => s_texts[(int)reason].Text;
}
