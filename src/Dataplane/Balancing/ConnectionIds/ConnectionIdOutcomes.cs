namespace Dataplane.Balancing.ConnectionIds;

/// <summary>Names of what connection IDs said.</summary>
internal static class ConnectionIdOutcomes
{
    /// <summary>How many there are.</summary>
    public const int Count = (int)ConnectionIdOutcome.Unavailable + 1;

    /// <summary>As metrics and explanations write it.</summary>
    public static string NameOf(ConnectionIdOutcome outcome) => outcome switch
    {
        ConnectionIdOutcome.Routed => "routed",
        ConnectionIdOutcome.ClientChosen => "client_chosen",
        ConnectionIdOutcome.UnknownType => "unknown_type",
        ConnectionIdOutcome.WrongLength => "wrong_length",
        ConnectionIdOutcome.NoConfiguration => "no_configuration",
        ConnectionIdOutcome.UnknownServer => "unknown_server",
        _ => "unavailable",
    };
}
