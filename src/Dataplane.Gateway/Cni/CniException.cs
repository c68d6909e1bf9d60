namespace Dataplane.Gateway.Cni;

/// <summary>Error codes of CNI 1.1.0, and our own from 100.</summary>
internal static class CniCode
{
    public const int IncompatibleVersion = 1;
    public const int ContainerUnknown = 3;
    public const int InvalidEnvironment = 4;
    public const int Io = 5;
    public const int Undecodable = 6;
    public const int InvalidConfiguration = 7;
    public const int TryLater = 11;
    public const int NotAvailable = 50;
    public const int NoAddress = 100;
    public const int Taken = 101;
    public const int Refused = 102;
    public const int CheckFailed = 103;
}

/// <summary>A request of the runtime failed.</summary>
internal sealed class CniException(int code, string message, string details = "") : Exception(message)
{
    public int Code { get; } = code;

    public string Details { get; } = details;
}
