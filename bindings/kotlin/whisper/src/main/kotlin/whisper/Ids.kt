package whisper

/**
 * Who somebody is to others: a point of the curve, as 130 hex digits that begin with 04.
 *
 * Keys are compared as text. This library writes lower case; what people type or scan, [of] brings
 * into that form.
 */
@JvmInline
value class PublicKey(val hex: String) {
    override fun toString(): String = hex

    companion object {
        /**
         * The key that a person has typed or scanned: white space around it, `0x` before it, capital
         * letters and a missing 04 do no harm. Whether it is a point of the curve, the first call
         * that takes it tells.
         *
         * @throws WhisperException.Malformed if these are not the digits of a key
         */
        fun of(text: String): PublicKey {
            val digits = text.trim().lowercase().removePrefix("0x")
            val whole = if (digits.length == HEX_OF_POINT) "04$digits" else digits
            val isKey = whole.length == 2 + HEX_OF_POINT && whole.startsWith("04")
            if (!isKey || whole.any { it !in '0'..'9' && it !in 'a'..'f' }) {
                throw WhisperException.Malformed("a public key", "it has 130 hex digits, 04 first")
            }
            return PublicKey(whole)
        }

        private const val HEX_OF_POINT = 128
    }
}

/** Where readers find an envelope: four public bytes, as 8 hex digits. */
@JvmInline
value class Topic(val hex: String) {
    override fun toString(): String = hex
}

/** The name of a session between two identities: 64 hex digits. */
@JvmInline
value class SessionId(val hex: String) {
    override fun toString(): String = hex
}

/** The name of a message in its session and direction: 16 hex digits. */
@JvmInline
value class MessageName(val hex: String) {
    override fun toString(): String = hex
}

/** The hash that an envelope is known by: 64 hex digits. */
@JvmInline
value class EnvelopeHash(val hex: String) {
    override fun toString(): String = hex
}

/** The id of a block, as it is written: 64 hex digits, the zeros of its work first. */
@JvmInline
value class BlockId(val hex: String) {
    override fun toString(): String = hex
}

/** The id of a transaction: 64 hex digits. */
@JvmInline
value class TxId(val hex: String) {
    override fun toString(): String = hex
}

/** The number of a connection. None is used twice. */
@JvmInline
value class PeerId(val number: ULong) {
    override fun toString(): String = number.toString()
}
